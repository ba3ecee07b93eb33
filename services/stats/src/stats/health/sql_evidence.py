"""Statements about evidence: what is known of profiles when their health is judged."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from stats.core.evidence import PackageBaseline
from stats.core.evidence_assembly import RawEvidence
from stats.core.recent_sends import RecentSend, RecentSends
from stats.core.shares import Share
from stats.core.sums import hour_of, minute_of
from stats.core.tally import Marks
from stats.core.windows import DAY, HOUR, WEEK

STUCK_AFTER = timedelta(minutes=2)
"""Of the machine's time: WhatsApp's server has a message within seconds, or something is wrong."""
LAST_SENDINGS = 60
"""Of each lane."""


async def gather(connection: AsyncConnection, profiles: Collection[str], now: datetime) -> dict[str, RawEvidence]:
    """`now` is the system's; how long ago we heard of a sending is by the database's own clock."""
    present = minute_of(now)
    asked = {
        "profiles": list(profiles), "now": present, "hour": present - HOUR, "four_hours": present - 4 * HOUR,
        "day": present - DAY, "day_before": present - DAY - HOUR, "week": hour_of(present - WEEK),
        "last_hour": hour_of(present - DAY - HOUR), "sendings": LAST_SENDINGS,
    }  # fmt: skip
    lately = {row.profile_id: _sums(row) for row in await connection.execute(_LATELY, asked)}
    before = {row.profile_id: _sums(row) for row in await connection.execute(_BEFORE, asked)}
    failures: dict[str, dict[str, int]] = {}
    for row in await connection.execute(_FAILURES, asked):
        failures.setdefault(row.profile_id, {})[row.failure] = row.number
    sent: dict[str, list[RecentSend]] = {}
    for row in await connection.execute(_SENDINGS, asked):
        sent.setdefault(row.profile_id, []).append(_sent(row))
    stuck = {row.profile_id: row.number for row in await connection.execute(_STUCK, asked | {"after": STUCK_AFTER})}
    return {
        profile: RawEvidence(
            lately.get(profile, {}),
            before.get(profile, {}),
            failures.get(profile, {}),
            RecentSends(tuple(sorted(sent.get(profile, ()), key=lambda each: each.at, reverse=True))),
            stuck.get(profile, 0),
        )
        for profile in profiles
    }


async def usual(connection: AsyncConnection, packages: Collection[str], now: datetime) -> dict[str, PackageBaseline]:
    asked = {"packages": list(packages), "week": hour_of(now - WEEK), "hour": hour_of(now - HOUR)}
    rows = await connection.execute(_USUAL, asked)
    return {
        row.package_id: PackageBaseline(
            Share(row.arrived, row.sent), Share(min(row.answered, row.delivered), row.delivered)
        )
        for row in rows
    }


def _sums(row: Any) -> dict[str, int]:
    return {name: value or 0 for name, value in row._mapping.items() if name != "profile_id"}


def _sent(row: Any) -> RecentSend:
    marks = Marks(row.marks)
    return RecentSend(
        row.lane, row.sent_at, row.age, row.waits, Marks.DELIVERED in marks, Marks.FAILED in marks,
        bool(row.is_new), bool(row.receives), row.fingerprint,
    )  # fmt: skip


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

_SENDINGS = text("""
SELECT asked.profile_id, sent.* FROM unnest(CAST(:profiles AS text[])) AS asked (profile_id)
CROSS JOIN (VALUES ('open'), ('reply')) AS of (lane)
CROSS JOIN LATERAL (
    SELECT delivery.lane, sent_at, now() - heard_at AS age, waits, marks, is_new, receives, fingerprint
    FROM stats.delivery
    WHERE delivery.profile_id = asked.profile_id AND delivery.lane = of.lane AND sent_at IS NOT NULL
      AND sent_at <= CAST(:now AS timestamptz) + interval '1 minute'
    ORDER BY sent_at DESC LIMIT CAST(:sendings AS int)) AS sent""")

_STUCK = text(f"""
SELECT profile_id, count(*) AS number FROM stats.delivery
WHERE {_MINE} AND waits AND heard_at <= now() - CAST(:after AS interval) AND heard_at > now() - interval '1 hour'
GROUP BY profile_id""")

_USUAL = text("""
SELECT package_id, sum(sent) AS sent, sum(arrived) AS arrived, sum(answered) AS answered,
       coalesce(sum(delivered) FILTER (WHERE lane = 'open'), 0) AS delivered
FROM stats.package_hour
WHERE package_id = ANY(CAST(:packages AS text[])) AND at >= CAST(:week AS timestamptz)
  AND at < CAST(:hour AS timestamptz)
GROUP BY package_id""")
