"""Statements about alerts: raised, changed, told, listed."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from stats.core.alerts import StoredAlert

COLUMNS = tuple(each.name for each in fields(StoredAlert))
STATES = ("raised", "acknowledged", "cleared")


async def open_alerts(connection: AsyncConnection, profiles: Collection[str]) -> dict[str, dict[str, StoredAlert]]:
    """Those that are not cleared, by profile and kind."""
    found: dict[str, dict[str, StoredAlert]] = {}
    for row in await connection.execute(_OPEN, {"profiles": list(profiles)}):
        found.setdefault(row.profile_id, {})[row.kind] = _kept(row)
    return found


async def save_alerts(connection: AsyncConnection, alerts: Sequence[StoredAlert], now: datetime) -> None:
    if alerts:
        ordered = sorted(alerts, key=lambda each: each.alert_id)
        columns: dict[str, Any] = {name: [getattr(each, name) for each in ordered] for name in COLUMNS}
        await connection.execute(_SAVE, {**columns, "now": now})


async def acknowledge(engine: AsyncEngine, alert_id: str, by: str, now: datetime) -> StoredAlert | None:
    """The alert, acknowledged now or before; None: there is no such alert."""
    async with engine.begin() as connection:
        await connection.execute(_ACKNOWLEDGE, {"alert": alert_id, "by": by, "now": now})
        row = (await connection.execute(_ONE, {"alert": alert_id})).one_or_none()
    return None if row is None else _kept(row)


async def untold(engine: AsyncEngine, limit: int) -> list[StoredAlert]:
    """Those whose state was not published yet, the oldest first."""
    async with engine.connect() as connection:
        return [_kept(row) for row in await connection.execute(_UNTOLD, {"limit": limit})]


async def mark_told(engine: AsyncEngine, alerts: Sequence[StoredAlert]) -> None:
    ordered = sorted(alerts, key=lambda each: each.alert_id)
    async with engine.begin() as connection:
        given = {"alerts": [each.alert_id for each in ordered], "states": [each.state for each in ordered]}
        await connection.execute(_TOLD, given)


async def list_alerts(
    connection: AsyncConnection,
    limit: int,
    package_id: str | None = None,
    profile_id: str | None = None,
    states: Sequence[str] = STATES,
    before: str | None = None,
    changed_after: datetime | None = None,
) -> list[StoredAlert]:
    """The newest first (an id begins with its moment), below the id `before`."""
    asked = {
        "package": package_id, "profile": profile_id, "states": list(states), "before": before,
        "changed_after": changed_after, "limit": limit,
    }  # fmt: skip
    return [_kept(row) for row in await connection.execute(_LIST, asked)]


def alerts_of(
    package_id: str | None, profile_id: str | None, start: datetime, end: datetime
) -> tuple[TextClause, dict[str, Any]]:
    """The statement that lists all that were raised in a span, the oldest first."""
    return text(_RAISED), {"package": package_id, "profile": profile_id, "start": start, "end": end}


def _kept(row: Any) -> StoredAlert:
    return StoredAlert(*(getattr(row, name) for name in COLUMNS))


_NAMES = ", ".join(COLUMNS)
_STATE = """CASE WHEN cleared_at IS NOT NULL THEN 'cleared'
     WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'raised' END"""

_OPEN = text(f"""
SELECT {_NAMES} FROM stats.alert WHERE profile_id = ANY(CAST(:profiles AS text[])) AND cleared_at IS NULL""")

_ONE = text(f"SELECT {_NAMES} FROM stats.alert WHERE alert_id = :alert")

_SAVE = text(f"""
INSERT INTO stats.alert AS known ({_NAMES}, changed_at)
SELECT given.*, CAST(:now AS timestamptz)
FROM unnest(CAST(:alert_id AS text[]), CAST(:profile_id AS text[]), CAST(:package_id AS text[]),
            CAST(:kind AS text[]), CAST(:severity AS text[]), CAST(:evidence AS text[]),
            CAST(:raised_at AS timestamptz[]), CAST(:acknowledged_at AS timestamptz[]),
            CAST(:acknowledged_by AS text[]), CAST(:cleared_at AS timestamptz[])) AS given
ON CONFLICT (alert_id) DO UPDATE SET severity = excluded.severity, evidence = excluded.evidence,
    cleared_at = excluded.cleared_at, changed_at = excluded.changed_at""")

_ACKNOWLEDGE = text("""
UPDATE stats.alert SET acknowledged_at = CAST(:now AS timestamptz), acknowledged_by = :by,
    changed_at = CAST(:now AS timestamptz)
WHERE alert_id = :alert AND acknowledged_at IS NULL AND cleared_at IS NULL""")

_UNTOLD = text(f"""
SELECT {_NAMES} FROM stats.alert WHERE told <> {_STATE} ORDER BY alert_id LIMIT CAST(:limit AS int)""")

_TOLD = text("""
UPDATE stats.alert SET told = given.state
FROM unnest(CAST(:alerts AS text[]), CAST(:states AS text[])) AS given (alert_id, state)
WHERE alert.alert_id = given.alert_id""")

_OF = """(CAST(:package AS text) IS NULL OR package_id = :package)
  AND (CAST(:profile AS text) IS NULL OR profile_id = :profile)"""

_RAISED = f"""
SELECT {_NAMES} FROM stats.alert
WHERE {_OF} AND raised_at >= CAST(:start AS timestamptz) AND raised_at < CAST(:end AS timestamptz) ORDER BY alert_id"""

_LIST = text(f"""
SELECT {_NAMES} FROM stats.alert
WHERE {_OF}
  AND {_STATE} = ANY(CAST(:states AS text[]))
  AND (CAST(:before AS text) IS NULL OR alert_id < :before)
  AND (CAST(:changed_after AS timestamptz) IS NULL OR changed_at > CAST(:changed_after AS timestamptz))
ORDER BY alert_id DESC LIMIT CAST(:limit AS int)""")
