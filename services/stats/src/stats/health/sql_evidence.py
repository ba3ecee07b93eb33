"""SQL statements that read the evidence of an evaluation: sums and recent sends."""

from collections import defaultdict
from collections.abc import Collection, Mapping
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
"""After this wall time, a missing acknowledgement is evidence. WhatsApp usually acknowledges within seconds."""
LAST_SENDS = 60
"""How many of the newest sends of each lane are loaded for a profile."""


@dataclass(frozen=True, slots=True)
class LastDayRow:
    """A profile's sums of the last 24 hours, or of the window that the field's name contains. None means 0.

    The share of sent messages that were delivered is computed from the fields `arrived_…` and `sent_…_to_1h_ago`. Their
    windows end an hour ago, because a receipt may take an hour.
    """

    profile_id: str
    sent_4h_to_1h_ago: int | None
    arrived_4h_to_1h_ago: int | None
    sent_25h_to_1h_ago: int | None
    arrived_25h_to_1h_ago: int | None
    sent: int | None
    sent_open: int | None
    sent_open_last_hour: int | None
    delivered_open: int | None
    answered: int | None
    new_contacts: int | None
    night: int | None


@dataclass(frozen=True, slots=True)
class BeforeRow:
    """A profile's sums of whole hours, from 7 days ago until 25 hours ago. None means 0."""

    profile_id: str
    sent: int | None
    arrived: int | None
    answered: int | None
    sent_open: int | None
    new_contacts: int | None
    delivered_open: int | None


@dataclass(frozen=True, slots=True)
class RecentSendRow:
    """A `RecentSend` as the database has it. If `is_new` or `receives` is None, it counts as False.

    `marks` has the bits of `Marks`.
    """

    profile_id: str
    lane: Lane
    sent_at: datetime
    age: timedelta
    waits: bool
    marks: int
    is_new: bool | None
    receives: bool | None
    fingerprint: str | None

    def to_recent_send(self) -> RecentSend:
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
    """The number of failures of one class in the last 24 hours."""

    profile_id: str
    failure: str
    number: int


@dataclass(frozen=True, slots=True)
class StuckRow:
    """The number of the last hour's messages that have waited for `STUCK_AFTER` or longer (see `RecentSend.waits`)."""

    profile_id: str
    number: int


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """A package's sums of whole hours, from 7 days ago until an hour ago."""

    package_id: str
    sent: int
    arrived: int
    answered: int
    delivered_open: int


async def raw_evidence(
    connection: AsyncConnection, added_at: Mapping[str, datetime], now: datetime
) -> dict[str, RawEvidence]:
    """The raw evidence of each profile since it was added. `now` is system time, but the ages of sends are wall
    time."""
    minute = minute_of(now)
    parameters = {
        "profiles": list(added_at),
        "added_at": list(added_at.values()),
        "this_minute": minute,
        "hour_ago": minute - HOUR,
        "four_hours_ago": minute - 4 * HOUR,
        "day_ago": minute - DAY,
        "day_and_hour_ago": minute - DAY - HOUR,
        "before_from": hour_of(minute - WEEK),
        "before_until": hour_of(minute - DAY - HOUR),
        "sends_max": LAST_SENDS,
        "stuck_after": STUCK_AFTER,
    }
    lately = {
        row.profile_id: _sums(row) for row in fetched(LastDayRow, await connection.execute(_LAST_DAY, parameters))
    }
    before = {row.profile_id: _sums(row) for row in fetched(BeforeRow, await connection.execute(_BEFORE, parameters))}
    failures: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in fetched(FailureClassRow, await connection.execute(_FAILURES, parameters)):
        failures[row.profile_id][row.failure] = row.number
    sends: defaultdict[str, list[RecentSend]] = defaultdict(list)
    for row in fetched(RecentSendRow, await connection.execute(_SENDS, parameters)):
        sends[row.profile_id].append(row.to_recent_send())
    stuck = {row.profile_id: row.number for row in fetched(StuckRow, await connection.execute(_STUCK, parameters))}
    return {
        profile: RawEvidence(
            lately.get(profile, {}),
            before.get(profile, {}),
            failures.get(profile, {}),
            RecentSends(tuple(sorted(sends.get(profile, ()), key=lambda send: send.at, reverse=True))),
            stuck.get(profile, 0),
        )
        for profile in added_at
    }


async def package_baselines(
    connection: AsyncConnection, packages: Collection[str], now: datetime
) -> dict[str, PackageBaseline]:
    """The baseline of each package that has sums. `now` is system time."""
    parameters = {"packages": list(packages), "from": hour_of(now - WEEK), "until": hour_of(now - HOUR)}
    rows = fetched(BaselineRow, await connection.execute(_BASELINES, parameters))
    return {
        row.package_id: PackageBaseline(
            Share(row.arrived, row.sent), Share(min(row.answered, row.delivered_open), row.delivered_open)
        )
        for row in rows
    }


def _sums(row: LastDayRow | BeforeRow) -> dict[str, int]:
    return {name: value or 0 for name, value in asdict(row).items() if name != "profile_id"}


_WANTED = "unnest(CAST(:profiles AS text[]), CAST(:added_at AS timestamptz[])) AS wanted (profile_id, added_at)"
_OF_PROFILES = f"JOIN {_WANTED} USING (profile_id) WHERE at >= wanted.added_at"
"""The counts of the minutes and hours that began since the profile was added."""
_RECEIPT_DUE = "at <= CAST(:hour_ago AS timestamptz)"

_LAST_DAY = text(f"""
SELECT profile_id,
       sum(sent) FILTER (WHERE at > CAST(:four_hours_ago AS timestamptz) AND {_RECEIPT_DUE}) AS sent_4h_to_1h_ago,
       sum(arrived) FILTER (WHERE at > CAST(:four_hours_ago AS timestamptz) AND {_RECEIPT_DUE}) AS arrived_4h_to_1h_ago,
       sum(sent) FILTER (WHERE {_RECEIPT_DUE}) AS sent_25h_to_1h_ago,
       sum(arrived) FILTER (WHERE {_RECEIPT_DUE}) AS arrived_25h_to_1h_ago,
       sum(sent) FILTER (WHERE at > CAST(:day_ago AS timestamptz)) AS sent,
       sum(sent) FILTER (WHERE at > CAST(:day_ago AS timestamptz) AND lane = 'open') AS sent_open,
       sum(sent) FILTER (WHERE at > CAST(:hour_ago AS timestamptz) AND lane = 'open') AS sent_open_last_hour,
       sum(delivered) FILTER (WHERE at > CAST(:day_ago AS timestamptz) AND lane = 'open') AS delivered_open,
       sum(answered) FILTER (WHERE at > CAST(:day_ago AS timestamptz)) AS answered,
       sum(new_contacts) FILTER (WHERE at > CAST(:day_ago AS timestamptz)) AS new_contacts,
       sum(night) FILTER (WHERE at > CAST(:day_ago AS timestamptz)) AS night
FROM stats.minute {_OF_PROFILES}
  AND at > CAST(:day_and_hour_ago AS timestamptz) AND at <= CAST(:this_minute AS timestamptz)
GROUP BY profile_id""")

_BEFORE = text(f"""
SELECT profile_id, sum(sent) AS sent, sum(arrived) AS arrived, sum(answered) AS answered,
       sum(sent) FILTER (WHERE lane = 'open') AS sent_open, sum(new_contacts) AS new_contacts,
       sum(delivered) FILTER (WHERE lane = 'open') AS delivered_open
FROM stats.hour {_OF_PROFILES}
  AND at >= CAST(:before_from AS timestamptz) AND at < CAST(:before_until AS timestamptz)
GROUP BY profile_id""")

_FAILURES = text(f"""
SELECT profile_id, failure, sum(count) AS number FROM stats.minute_failure {_OF_PROFILES}
  AND at > CAST(:day_ago AS timestamptz) AND at <= CAST(:this_minute AS timestamptz)
GROUP BY profile_id, failure""")

_SENDS = text(f"""
SELECT wanted.profile_id, sent.* FROM {_WANTED}
CROSS JOIN (VALUES ('open'), ('reply')) AS of (lane)
CROSS JOIN LATERAL (
    SELECT delivery.lane, sent_at, now() - heard_at AS age, waits, marks, is_new, receives, fingerprint
    FROM stats.delivery
    WHERE delivery.profile_id = wanted.profile_id AND delivery.lane = of.lane AND sent_at >= wanted.added_at
      AND sent_at <= CAST(:this_minute AS timestamptz) + interval '1 minute'
    ORDER BY sent_at DESC LIMIT CAST(:sends_max AS int)) AS sent""")
"""`:this_minute` is the start of the current minute. The sends of the current minute are included."""

_STUCK = text(f"""
SELECT profile_id, count(*) AS number FROM stats.delivery JOIN {_WANTED} USING (profile_id)
WHERE sent_at >= wanted.added_at AND waits AND heard_at <= now() - CAST(:stuck_after AS interval)
  AND heard_at > now() - interval '1 hour'
GROUP BY profile_id""")

_BASELINES = text("""
SELECT package_id, sum(sent) AS sent, sum(arrived) AS arrived, sum(answered) AS answered,
       coalesce(sum(delivered) FILTER (WHERE lane = 'open'), 0) AS delivered_open
FROM stats.package_hour
WHERE package_id = ANY(CAST(:packages AS text[])) AND at >= CAST(:from AS timestamptz)
  AND at < CAST(:until AS timestamptz)
GROUP BY package_id""")
