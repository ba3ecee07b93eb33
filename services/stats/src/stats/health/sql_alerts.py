"""Statements about alerts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, columns, fetched, unnest
from stats.core.alerts import StoredAlert

AlertFilter = Literal["open", "raised", "acknowledged", "cleared", "all"]
IN_STATE: Mapping[AlertFilter, str] = {
    "open": "cleared_at IS NULL",
    "raised": "cleared_at IS NULL AND acknowledged_at IS NULL",
    "acknowledged": "cleared_at IS NULL AND acknowledged_at IS NOT NULL",
    "cleared": "cleared_at IS NOT NULL",
    "all": "true",
}
"""The SQL condition of each filter. The indexes of open alerts have the same condition as `open`."""


@dataclass(frozen=True, slots=True)
class PublishedAlertRow:
    alert_id: str
    state: str


@dataclass(frozen=True, slots=True)
class OpenAlertsRow:
    kind: str
    severity: str
    alerts: int


@dataclass(frozen=True, slots=True)
class PackageAlertsRow:
    package_id: str
    alerts: int


@dataclass(frozen=True, slots=True)
class ProfileWithAlerts:
    profile_id: str
    package_id: str


@dataclass(frozen=True, slots=True)
class PositionedAlert(StoredAlert):
    """An alert with the position at which its current state was published."""

    position: int = 0


async def open_alerts(connection: AsyncConnection, profiles: Collection[str]) -> dict[str, dict[str, StoredAlert]]:
    """The alerts that are not cleared, by profile and kind."""
    alerts: dict[str, dict[str, StoredAlert]] = {}
    for alert in fetched(StoredAlert, await connection.execute(_OPEN, {"profiles": list(profiles)})):
        alerts.setdefault(alert.profile_id, {})[alert.kind] = alert
    return alerts


async def count_open_alerts(engine: AsyncEngine) -> dict[tuple[str, str], int]:
    """The number of open alerts whose cause is present, by kind and severity."""
    async with autocommit(engine) as connection:
        rows = fetched(OpenAlertsRow, await connection.execute(COUNT_OPEN))
    return {(row.kind, row.severity): row.alerts for row in rows}


async def count_open_alerts_of(engine: AsyncEngine, packages: Collection[str]) -> dict[str, int]:
    """The number of open alerts of each of these packages. A package without open alerts is left out."""
    async with autocommit(engine) as connection:
        rows = fetched(PackageAlertsRow, await connection.execute(COUNT_OF_PACKAGES, {"packages": list(packages)}))
    return {row.package_id: row.alerts for row in rows}


async def profiles_with_open_alerts(engine: AsyncEngine) -> dict[str, str]:
    """The profiles that have an open alert, with their packages."""
    async with autocommit(engine) as connection:
        rows = fetched(ProfileWithAlerts, await connection.execute(WITH_OPEN_ALERTS))
    return {row.profile_id: row.package_id for row in rows}


async def save_alerts(connection: AsyncConnection, alerts: Sequence[StoredAlert], now: datetime) -> None:
    if alerts:
        ordered = sorted(alerts, key=lambda alert: alert.alert_id)
        await connection.execute(_SAVE, {**arrays(StoredAlert, ordered), "now": now})


async def acknowledge(engine: AsyncEngine, alert_id: str, by: str, now: datetime) -> StoredAlert | None:
    """Acknowledge the alert, unless it is acknowledged or cleared already. Returns the alert. None: there is no such
    alert."""
    async with engine.begin() as connection:
        await connection.execute(_ACKNOWLEDGE, {"alert": alert_id, "by": by, "now": now})
        rows = fetched(StoredAlert, await connection.execute(_ONE, {"alert": alert_id}))
    return rows[0] if rows else None


async def unpublished_alerts(engine: AsyncEngine, limit: int) -> Sequence[StoredAlert]:
    """The alerts whose current state is not published yet, the oldest first. Each of them gets a new position.

    Only one transaction at a time gives positions. So a reader that sees a position sees all lower ones too.
    """
    async with autocommit(engine) as connection:
        if (await connection.execute(FIRST_UNPUBLISHED)).scalar() is None:
            return []
    async with engine.begin() as connection:
        await connection.execute(_LOCK_POSITIONS)
        alerts = fetched(StoredAlert, await connection.execute(_TAKE_POSITIONS, {"limit": limit}))
    return sorted(alerts, key=lambda alert: alert.alert_id)


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
    state: AlertFilter = "all",
    before: str | None = None,
) -> Sequence[StoredAlert]:
    """The alerts with an id below `before`, the newest first. An id begins with its time, so ids sort by time."""
    statement, parameters = alert_list(limit, package_id, profile_id, state, before)
    return fetched(StoredAlert, await connection.execute(statement, parameters))


def alert_list(
    limit: int, package_id: str | None, profile_id: str | None, state: AlertFilter, before: str | None
) -> tuple[TextClause, dict[str, Any]]:
    """The statement of a list, with its parameters. It contains only the conditions that are needed, so that Postgres
    can choose the index that fits them."""
    conditions = {
        "package_id = :package": package_id,
        "profile_id = :profile": profile_id,
        "alert_id < :before": before,
    }
    needed = [IN_STATE[state], *(condition for condition, value in conditions.items() if value is not None)]
    parameters = {"package": package_id, "profile": profile_id, "before": before}
    statement = text(f"""
SELECT {columns(StoredAlert)} FROM stats.alert WHERE {" AND ".join(needed)}
ORDER BY alert_id DESC LIMIT CAST(:limit AS int)""")
    return statement, {"limit": limit} | {name: value for name, value in parameters.items() if value is not None}


async def last_position(connection: AsyncConnection) -> int:
    """The position of the alert that was published last. 0: no alert was published yet."""
    return (await connection.execute(LAST_POSITION)).scalar_one()


async def alerts_after(
    connection: AsyncConnection, position: int, package_id: str | None, limit: int
) -> Sequence[PositionedAlert]:
    """The alerts that were published after this position, in the order of their positions."""
    parameters = {"position": position, "package": package_id, "limit": limit}
    return fetched(PositionedAlert, await connection.execute(ALERTS_AFTER, parameters))


_STATE = """CASE WHEN cleared_at IS NOT NULL THEN 'cleared'
     WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'raised' END"""

_OPEN = text(f"""
SELECT {columns(StoredAlert)} FROM stats.alert
WHERE profile_id = ANY(CAST(:profiles AS text[])) AND cleared_at IS NULL""")

COUNT_OPEN = text("""
SELECT kind, severity, count(*) AS alerts FROM stats.alert WHERE cleared_at IS NULL AND quiet_since IS NULL
GROUP BY kind, severity""")

WITH_OPEN_ALERTS = text("SELECT DISTINCT profile_id, package_id FROM stats.alert WHERE cleared_at IS NULL")

COUNT_OF_PACKAGES = text("""
SELECT package_id, count(*) AS alerts FROM stats.alert
WHERE cleared_at IS NULL AND package_id = ANY(CAST(:packages AS text[])) GROUP BY package_id""")

_ONE = text(f"SELECT {columns(StoredAlert)} FROM stats.alert WHERE alert_id = :alert")

_SAVE = text(f"""
INSERT INTO stats.alert AS known ({columns(StoredAlert)}, changed_at)
SELECT {columns(StoredAlert)}, CAST(:now AS timestamptz) FROM {unnest(StoredAlert, "new")}
ON CONFLICT (alert_id) DO UPDATE SET severity = excluded.severity, evidence = excluded.evidence,
    cleared_at = excluded.cleared_at, quiet_since = excluded.quiet_since, changed_at = excluded.changed_at""")

_ACKNOWLEDGE = text("""
UPDATE stats.alert SET acknowledged_at = CAST(:now AS timestamptz), acknowledged_by = :by,
    changed_at = CAST(:now AS timestamptz)
WHERE alert_id = :alert AND acknowledged_at IS NULL AND cleared_at IS NULL""")

FIRST_UNPUBLISHED = text(f"SELECT alert_id FROM stats.alert WHERE told <> {_STATE} ORDER BY alert_id LIMIT 1")

_LOCK_POSITIONS = text("SELECT pg_advisory_xact_lock(hashtextextended('stats.alert_position', 7202))")

_TAKE_POSITIONS = text(f"""
UPDATE stats.alert SET position = nextval('stats.alert_position')
WHERE alert_id = ANY(ARRAY(
    SELECT alert_id FROM stats.alert WHERE told <> {_STATE} ORDER BY alert_id LIMIT CAST(:limit AS int) FOR UPDATE))
RETURNING {columns(StoredAlert)}""")

LAST_POSITION = text("SELECT coalesce(max(position), 0) FROM stats.alert")

ALERTS_AFTER = text(f"""
SELECT {columns(PositionedAlert)} FROM stats.alert
WHERE position > CAST(:position AS bigint) AND (CAST(:package AS text) IS NULL OR package_id = :package)
ORDER BY position LIMIT CAST(:limit AS int)""")

_MARK_PUBLISHED = text(f"""
UPDATE stats.alert SET told = published.state FROM {unnest(PublishedAlertRow, "published")}
WHERE alert.alert_id = published.alert_id""")
