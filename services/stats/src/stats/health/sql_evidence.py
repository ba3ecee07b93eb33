"""Statements about evidence: the sums and recent sends that an evaluation uses."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import Lane
from spreader.runtime.rows import fetched
from stats.core.evidence import PackageBaseline
from stats.core.evidence_assembly import RawEvidence
from stats.core.recent_sends import RecentSend, RecentSends
from stats.core.shares import Share
from stats.core.sums import hour_of, minute_of
from stats.core.tally import Marks
from stats.core.windows import DAY, HOUR, WEEK

STUCK_AFTER = timedelta(minutes=2)
"""In wall time: WhatsApp acknowledges a message within seconds unless something is wrong."""
LAST_SENDS = 60
"""The number of recent sends that are read of each lane."""


@dataclass(frozen=True, slots=True)
class LatelyRow:
    profile_id: str
    sent_lately: int | None
    arrived_lately: int | None
    sent_aged: int | None
    arrived_aged: int | None
    sent: int | None
    sent_open: int | None
    hour_open: int | None
    delivered_open: int | None
    answered: int | None
    new_contacts: int | None
    night: int | None


@dataclass(frozen=True, slots=True)
class BeforeRow:
    profile_id: str
    sent: int | None
    arrived: int | None
    answered: int | None
    sent_open: int | None
    new_contacts: int | None
    delivered_open: int | None


@dataclass(frozen=True, slots=True)
class RecentSendRow:
    profile_id: str
    lane: Lane
    sent_at: datetime
    age: timedelta
    waits: bool
    marks: int
    is_new: bool | None
    receives: bool | None
    fingerprint: str | None

    @property
    def send(self) -> RecentSend:
        marks = Marks(self.marks)
        return RecentSend(
            self.lane,
            self.sent_at,
            self.age,
            self.waits,
            delivered=Marks.DELIVERED in marks,
            failed=Marks.FAILED in marks,
            is_new=bool(self.is_new),
            receives=bool(self.receives),
            fingerprint=self.fingerprint,
        )


@dataclass(frozen=True, slots=True)
class FailureClassRow:
    profile_id: str
    failure: str
    number: int


@dataclass(frozen=True, slots=True)
class StuckRow:
    profile_id: str
    number: int


@dataclass(frozen=True, slots=True)
class BaselineRow:
    package_id: str
    sent: int
    arrived: int
    answered: int
    delivered: int


async def raw_evidence(connection: AsyncConnection, profiles: Collection[str], now: datetime) -> dict[str, RawEvidence]:
    """The raw evidence of each profile. `now` is system time; the age of a send is measured by the database's clock."""
    minute = minute_of(now)
    parameters = {
        "profiles": list(profiles),
        "now": minute,
        "hour": minute - HOUR,
        "four_hours": minute - 4 * HOUR,
        "day": minute - DAY,
        "day_before": minute - DAY - HOUR,
        "week": hour_of(minute - WEEK),
        "last_hour": hour_of(minute - DAY - HOUR),
        "sends": LAST_SENDS,
        "stuck_after": STUCK_AFTER,
    }
    lately = {row.profile_id: _sums(row) for row in fetched(LatelyRow, await connection.execute(_LATELY, parameters))}
    before = {row.profile_id: _sums(row) for row in fetched(BeforeRow, await connection.execute(_BEFORE, parameters))}
    failures: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in fetched(FailureClassRow, await connection.execute(_FAILURES, parameters)):
        failures[row.profile_id][row.failure] = row.number
    sends: defaultdict[str, list[RecentSend]] = defaultdict(list)
    for row in fetched(RecentSendRow, await connection.execute(_SENDS, parameters)):
        sends[row.profile_id].append(row.send)
    stuck = {row.profile_id: row.number for row in fetched(StuckRow, await connection.execute(_STUCK, parameters))}
    return {
        profile: RawEvidence(
            lately.get(profile, {}),
            before.get(profile, {}),
            failures.get(profile, {}),
            RecentSends(tuple(sorted(sends.get(profile, ()), key=lambda send: send.at, reverse=True))),
            stuck.get(profile, 0),
        )
        for profile in profiles
    }


async def package_baselines(
    connection: AsyncConnection, packages: Collection[str], now: datetime
) -> dict[str, PackageBaseline]:
    parameters = {"packages": list(packages), "week": hour_of(now - WEEK), "hour": hour_of(now - HOUR)}
    rows = fetched(BaselineRow, await connection.execute(_BASELINES, parameters))
    return {
        row.package_id: PackageBaseline(
            Share(row.arrived, row.sent), Share(min(row.answered, row.delivered), row.delivered)
        )
        for row in rows
    }


def _sums(row: LatelyRow | BeforeRow) -> dict[str, int]:
    return {name: value or 0 for name, value in asdict(row).items() if name != "profile_id"}


_MINE = "profile_id = ANY(CAST(:profiles AS text[]))"
_AGED = "at <= CAST(:hour AS timestamptz)"

_LATELY = text(f"""
SELECT profile_id,
       sum(sent) FILTER (WHERE at > CAST(:four_hours AS timestamptz) AND {_AGED}) AS sent_lately,
       sum(arrived) FILTER (WHERE at > CAST(:four_hours AS timestamptz) AND {_AGED}) AS arrived_lately,
       sum(sent) FILTER (WHERE {_AGED}) AS sent_aged, sum(arrived) FILTER (WHERE {_AGED}) AS arrived_aged,
       sum(sent) FILTER (WHERE at > CAST(:day AS timestamptz)) AS sent,
       sum(sent) FILTER (WHERE at > CAST(:day AS timestamptz) AND lane = 'open') AS sent_open,
       sum(sent) FILTER (WHERE at > CAST(:hour AS timestamptz) AND lane = 'open') AS hour_open,
       sum(delivered) FILTER (WHERE at > CAST(:day AS timestamptz) AND lane = 'open') AS delivered_open,
       sum(answered) FILTER (WHERE at > CAST(:day AS timestamptz)) AS answered,
       sum(new_contacts) FILTER (WHERE at > CAST(:day AS timestamptz)) AS new_contacts,
       sum(night) FILTER (WHERE at > CAST(:day AS timestamptz)) AS night
FROM stats.minute
WHERE {_MINE} AND at > CAST(:day_before AS timestamptz) AND at <= CAST(:now AS timestamptz) GROUP BY profile_id""")

_BEFORE = text(f"""
SELECT profile_id, sum(sent) AS sent, sum(arrived) AS arrived, sum(answered) AS answered,
       sum(sent) FILTER (WHERE lane = 'open') AS sent_open, sum(new_contacts) AS new_contacts,
       sum(delivered) FILTER (WHERE lane = 'open') AS delivered_open
FROM stats.hour
WHERE {_MINE} AND at >= CAST(:week AS timestamptz) AND at < CAST(:last_hour AS timestamptz) GROUP BY profile_id""")

_FAILURES = text(f"""
SELECT profile_id, failure, sum(count) AS number FROM stats.minute_failure
WHERE {_MINE} AND at > CAST(:day AS timestamptz) AND at <= CAST(:now AS timestamptz) GROUP BY profile_id, failure""")

_SENDS = text("""
SELECT wanted.profile_id, sent.* FROM unnest(CAST(:profiles AS text[])) AS wanted (profile_id)
CROSS JOIN (VALUES ('open'), ('reply')) AS of (lane)
CROSS JOIN LATERAL (
    SELECT delivery.lane, sent_at, now() - heard_at AS age, waits, marks, is_new, receives, fingerprint
    FROM stats.delivery
    WHERE delivery.profile_id = wanted.profile_id AND delivery.lane = of.lane AND sent_at IS NOT NULL
      AND sent_at <= CAST(:now AS timestamptz) + interval '1 minute'
    ORDER BY sent_at DESC LIMIT CAST(:sends AS int)) AS sent""")

_STUCK = text(f"""
SELECT profile_id, count(*) AS number FROM stats.delivery
WHERE {_MINE} AND waits AND heard_at <= now() - CAST(:stuck_after AS interval) AND heard_at > now() - interval '1 hour'
GROUP BY profile_id""")

_BASELINES = text("""
SELECT package_id, sum(sent) AS sent, sum(arrived) AS arrived, sum(answered) AS answered,
       coalesce(sum(delivered) FILTER (WHERE lane = 'open'), 0) AS delivered
FROM stats.package_hour
WHERE package_id = ANY(CAST(:packages AS text[])) AND at >= CAST(:week AS timestamptz)
  AND at < CAST(:hour AS timestamptz)
GROUP BY package_id""")
