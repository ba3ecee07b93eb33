"""Statements about closures, and about the status of accounts that gateways report."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import ProfileReported, Quality, Quota, SessionState
from spreader.runtime.rows import arrays, columns, fetched, unnest
from stats.core.closures import Closure, Closures, since_added
from stats.core.evidence import AccountStatus

SHOWN_FOR = timedelta(days=7)
"""A closure that ended longer ago than this is no longer read."""


@dataclass(frozen=True, slots=True)
class AccountStatusRow:
    profile_id: str
    session: SessionState | None
    quality: Quality | None
    session_at: datetime | None
    quality_at: datetime | None
    quota_at: datetime | None
    quota: Any
    """The decoded JSON of a `Quota`, or None."""

    def status_since(self, added_at: datetime) -> AccountStatus:
        """The values reported since the profile was added. Earlier values concern an earlier profile with the same
        id."""

        def is_later(at: datetime | None) -> bool:
            return at is not None and at >= added_at

        quota = None if self.quota is None else Quota.model_validate(self.quota)
        return AccountStatus(
            self.session if is_later(self.session_at) else None,
            self.quality if is_later(self.quality_at) else None,
            quota if is_later(self.quota_at) else None,
        )


async def lock_closures(connection: AsyncConnection, profiles: Collection[str]) -> Closures:
    """All closures of these profiles, with their rows locked."""
    result = await connection.execute(_LOCKED, {"profiles": sorted(set(profiles))})
    return _by_key(fetched(Closure, result))


async def recent_closures(
    connection: AsyncConnection, added_at: Mapping[str, datetime], now: datetime
) -> dict[str, list[Closure]]:
    """The closures of each profile that are in force, and the closures that ended within the last 7 days. `added_at`:
    when each profile was added."""
    result = await connection.execute(_RECENT, {"profiles": list(added_at), "after": now - SHOWN_FOR})
    closures: defaultdict[str, list[Closure]] = defaultdict(list)
    for closure in since_added(_by_key(fetched(Closure, result)), added_at).values():
        closures[closure.profile_id].append(closure)
    return closures


async def save_closures(connection: AsyncConnection, changed: Sequence[Closure]) -> None:
    if changed:
        rows = sorted(changed, key=lambda closure: closure.key)
        await connection.execute(_SAVE, arrays(Closure, rows))


async def save_reports(connection: AsyncConnection, reports: Sequence[ProfileReported]) -> None:
    """Save each field that a report contains, unless a newer report has set it. This runs one statement for each
    report."""
    for report in sorted(reports, key=lambda report: (report.profile_id, report.at)):
        parameters = {
            "profile": report.profile_id,
            "at": report.at,
            "session": report.session,
            "quality": report.quality,
            "quota": None if report.quota is None else report.quota.model_dump_json(),
        }
        await connection.execute(_REPORT, parameters)


async def account_statuses(connection: AsyncConnection, added_at: Mapping[str, datetime]) -> dict[str, AccountStatus]:
    """The reported status of each profile. `added_at`: when each profile was added."""
    result = await connection.execute(_STATUSES, {"profiles": list(added_at)})
    return {row.profile_id: row.status_since(added_at[row.profile_id]) for row in fetched(AccountStatusRow, result)}


def _by_key(closures: Sequence[Closure]) -> Closures:
    return {closure.key: closure for closure in closures}


_LOCKED = text(f"""
SELECT {columns(Closure)} FROM stats.closure WHERE profile_id = ANY(CAST(:profiles AS text[]))
ORDER BY profile_id, lane, kind FOR UPDATE""")

_RECENT = text(f"""
SELECT {columns(Closure)} FROM stats.closure
WHERE profile_id = ANY(CAST(:profiles AS text[])) AND (until IS NULL OR until > CAST(:after AS timestamptz))""")

_SAVE = text(f"""
INSERT INTO stats.closure AS known ({columns(Closure)})
SELECT {columns(Closure)} FROM {unnest(Closure, "new")}
ON CONFLICT (profile_id, lane, kind) DO UPDATE SET since = excluded.since, until = excluded.until,
    strikes = excluded.strikes, evidence = excluded.evidence, lifted_at = excluded.lifted_at""")

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

_STATUSES = text(f"""
SELECT {columns(AccountStatusRow)} FROM stats.report WHERE profile_id = ANY(CAST(:profiles AS text[]))""")
