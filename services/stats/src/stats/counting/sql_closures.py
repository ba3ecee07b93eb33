"""Statements about lanes: what closes them, and what gateways say of profiles."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import ProfileReported, Quota
from stats.core.closures import Closure, Closures
from stats.core.evidence import AccountStatus

TOLD_FOR = timedelta(days=7)
"""A closure that ended so long ago says nothing of a profile any more."""

_COLUMNS = ("profile_id", "lane", "kind", "since", "until", "strikes", "evidence")


async def closures(connection: AsyncConnection, profiles: Collection[str]) -> Closures:
    """All that are kept of these profiles, locked."""
    rows = await connection.execute(_LOCKED, {"profiles": sorted(set(profiles))})
    return _by_key(rows)


async def closures_seen(connection: AsyncConnection, profiles: Collection[str], now: datetime) -> Closures:
    """Those in force, and those that ended within the last 7 days."""
    rows = await connection.execute(_SEEN, {"profiles": list(profiles), "after": now - TOLD_FOR})
    return _by_key(rows)


async def save_closures(connection: AsyncConnection, changed: Sequence[Closure]) -> None:
    if changed:
        ordered = sorted(changed, key=lambda each: each.key)
        await connection.execute(_SAVE, {f"{name}s": [getattr(each, name) for each in ordered] for name in _COLUMNS})


async def save_reports(connection: AsyncConnection, reports: Sequence[ProfileReported]) -> None:
    """What each report says stands until a newer one says otherwise; of several, one after the other."""
    for report in sorted(reports, key=lambda each: (each.profile_id, each.at)):
        quota = None if report.quota is None else report.quota.model_dump_json()
        told = {
            "profile": report.profile_id, "at": report.at, "session": report.session, "quality": report.quality,
            "quota": quota,
        }  # fmt: skip
        await connection.execute(_REPORT, told)


async def reported(connection: AsyncConnection, profiles: Collection[str]) -> dict[str, AccountStatus]:
    rows = await connection.execute(_REPORTED, {"profiles": list(profiles)})
    return {row.profile_id: AccountStatus(row.session, row.quality, _quota(row.quota)) for row in rows}


def _by_key(rows: Any) -> dict[Any, Closure]:
    found = (Closure(*(getattr(row, name) for name in _COLUMNS)) for row in rows)
    return {closure.key: closure for closure in found}


def _quota(kept: Any) -> Quota | None:
    if kept is None:
        return None
    return Quota.model_validate(json.loads(kept) if isinstance(kept, str) else kept)


_LOCKED = text(f"""
SELECT {", ".join(_COLUMNS)} FROM stats.closure WHERE profile_id = ANY(CAST(:profiles AS text[]))
ORDER BY profile_id, lane, kind FOR UPDATE""")

_SEEN = text(f"""
SELECT {", ".join(_COLUMNS)} FROM stats.closure
WHERE profile_id = ANY(CAST(:profiles AS text[])) AND (until IS NULL OR until > CAST(:after AS timestamptz))""")

_SAVE = text("""
INSERT INTO stats.closure AS known (profile_id, lane, kind, since, until, strikes, evidence)
SELECT * FROM unnest(CAST(:profile_ids AS text[]), CAST(:lanes AS text[]), CAST(:kinds AS text[]),
                     CAST(:sinces AS timestamptz[]), CAST(:untils AS timestamptz[]), CAST(:strikess AS int[]),
                     CAST(:evidences AS text[]))
ON CONFLICT (profile_id, lane, kind) DO UPDATE SET since = excluded.since, until = excluded.until,
    strikes = excluded.strikes, evidence = excluded.evidence""")

_REPORT = text("""
INSERT INTO stats.report AS known (profile_id, session, session_at, quality, quality_at, quota, quota_at)
VALUES (:profile, :session, CASE WHEN CAST(:session AS text) IS NOT NULL THEN CAST(:at AS timestamptz) END,
        :quality, CASE WHEN CAST(:quality AS text) IS NOT NULL THEN CAST(:at AS timestamptz) END,
        CAST(:quota AS jsonb), CASE WHEN CAST(:quota AS text) IS NOT NULL THEN CAST(:at AS timestamptz) END)
ON CONFLICT (profile_id) DO UPDATE SET
    session = CASE WHEN excluded.session_at >= coalesce(known.session_at, '-infinity')
                   THEN excluded.session ELSE known.session END,
    session_at = greatest(known.session_at, excluded.session_at),
    quality = CASE WHEN excluded.quality_at >= coalesce(known.quality_at, '-infinity')
                   THEN excluded.quality ELSE known.quality END,
    quality_at = greatest(known.quality_at, excluded.quality_at),
    quota = CASE WHEN excluded.quota_at >= coalesce(known.quota_at, '-infinity')
                 THEN excluded.quota ELSE known.quota END,
    quota_at = greatest(known.quota_at, excluded.quota_at)""")

_REPORTED = text("""
SELECT profile_id, session, quality, quota FROM stats.report WHERE profile_id = ANY(CAST(:profiles AS text[]))""")
