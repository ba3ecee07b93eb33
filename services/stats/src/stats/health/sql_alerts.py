"""Statements about alerts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, columns, fetched, unnest
from stats.core.alerts import StoredAlert

STATES = ("raised", "acknowledged", "cleared")


@dataclass(frozen=True, slots=True)
class PublishedAlertRow:
    alert_id: str
    state: str


@dataclass(frozen=True, slots=True)
class OpenAlertsRow:
    kind: str
    severity: str
    alerts: int


async def open_alerts(connection: AsyncConnection, profiles: Collection[str]) -> dict[str, dict[str, StoredAlert]]:
    """The alerts that are not cleared, by profile and kind."""
    alerts: dict[str, dict[str, StoredAlert]] = {}
    for alert in fetched(StoredAlert, await connection.execute(_OPEN, {"profiles": list(profiles)})):
        alerts.setdefault(alert.profile_id, {})[alert.kind] = alert
    return alerts


async def count_open_alerts(engine: AsyncEngine) -> dict[tuple[str, str], int]:
    """The number of alerts that are not cleared, by kind and severity."""
    async with autocommit(engine) as connection:
        rows = fetched(OpenAlertsRow, await connection.execute(_COUNT_OPEN))
    return {(row.kind, row.severity): row.alerts for row in rows}


async def save_alerts(connection: AsyncConnection, alerts: Sequence[StoredAlert], now: datetime) -> None:
    if alerts:
        ordered = sorted(alerts, key=lambda alert: alert.alert_id)
        await connection.execute(_SAVE, {**arrays(StoredAlert, ordered), "now": now})


async def acknowledge(engine: AsyncEngine, alert_id: str, by: str, now: datetime) -> StoredAlert | None:
    """Acknowledge the alert, unless it is acknowledged or cleared already. Returns the alert; None: there is no such
    alert."""
    async with engine.begin() as connection:
        await connection.execute(_ACKNOWLEDGE, {"alert": alert_id, "by": by, "now": now})
        rows = fetched(StoredAlert, await connection.execute(_ONE, {"alert": alert_id}))
    return rows[0] if rows else None


async def unpublished_alerts(engine: AsyncEngine, limit: int) -> Sequence[StoredAlert]:
    """The alerts whose current state is not published yet, the oldest first."""
    async with autocommit(engine) as connection:
        return fetched(StoredAlert, await connection.execute(_UNPUBLISHED, {"limit": limit}))


async def mark_published(engine: AsyncEngine, alerts: Sequence[StoredAlert]) -> None:
    ordered = sorted(alerts, key=lambda alert: alert.alert_id)
    rows = [PublishedAlertRow(alert.alert_id, alert.state) for alert in ordered]
    async with autocommit(engine) as connection:
        await connection.execute(_MARK_PUBLISHED, arrays(PublishedAlertRow, rows))


async def list_alerts(
    connection: AsyncConnection,
    limit: int,
    package_id: str | None = None,
    profile_id: str | None = None,
    states: Sequence[str] = STATES,
    before: str | None = None,
    changed_after: datetime | None = None,
) -> Sequence[StoredAlert]:
    """The alerts with an id below `before`, the newest first. An id begins with its time, so ids sort by time."""
    parameters = {
        "package": package_id,
        "profile": profile_id,
        "states": list(states),
        "before": before,
        "changed_after": changed_after,
        "limit": limit,
    }
    return fetched(StoredAlert, await connection.execute(_LIST, parameters))


_STATE = """CASE WHEN cleared_at IS NOT NULL THEN 'cleared'
     WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'raised' END"""

_OPEN = text(f"""
SELECT {columns(StoredAlert)} FROM stats.alert
WHERE profile_id = ANY(CAST(:profiles AS text[])) AND cleared_at IS NULL""")

_COUNT_OPEN = text("""
SELECT kind, severity, count(*) AS alerts FROM stats.alert WHERE cleared_at IS NULL GROUP BY kind, severity""")

_ONE = text(f"SELECT {columns(StoredAlert)} FROM stats.alert WHERE alert_id = :alert")

_SAVE = text(f"""
INSERT INTO stats.alert AS known ({columns(StoredAlert)}, changed_at)
SELECT {columns(StoredAlert)}, CAST(:now AS timestamptz) FROM {unnest(StoredAlert, "new")}
ON CONFLICT (alert_id) DO UPDATE SET severity = excluded.severity, evidence = excluded.evidence,
    cleared_at = excluded.cleared_at, changed_at = excluded.changed_at""")

_ACKNOWLEDGE = text("""
UPDATE stats.alert SET acknowledged_at = CAST(:now AS timestamptz), acknowledged_by = :by,
    changed_at = CAST(:now AS timestamptz)
WHERE alert_id = :alert AND acknowledged_at IS NULL AND cleared_at IS NULL""")

_UNPUBLISHED = text(f"""
SELECT {columns(StoredAlert)} FROM stats.alert WHERE told <> {_STATE} ORDER BY alert_id LIMIT CAST(:limit AS int)""")

_MARK_PUBLISHED = text(f"""
UPDATE stats.alert SET told = published.state FROM {unnest(PublishedAlertRow, "published")}
WHERE alert.alert_id = published.alert_id""")

_OF = """(CAST(:package AS text) IS NULL OR package_id = :package)
  AND (CAST(:profile AS text) IS NULL OR profile_id = :profile)"""

_LIST = text(f"""
SELECT {columns(StoredAlert)} FROM stats.alert
WHERE {_OF}
  AND {_STATE} = ANY(CAST(:states AS text[]))
  AND (CAST(:before AS text) IS NULL OR alert_id < :before)
  AND (CAST(:changed_after AS timestamptz) IS NULL OR changed_at > CAST(:changed_after AS timestamptz))
ORDER BY alert_id DESC LIMIT CAST(:limit AS int)""")
