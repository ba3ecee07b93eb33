"""Statements about removed profiles: they clear the alerts of these profiles, and delete what reports and evaluations
have said about them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.rows import arrays, unnest
from stats.core.profile_summary import RemovedProfile
from stats.counting.sql_closures import lock_closures
from stats.health.sql_conditions import lock_profiles


async def end_profiles(engine: AsyncEngine, removed: Sequence[RemovedProfile], now: datetime) -> None:
    """Clear the open alerts of these profiles, and delete their closures, conditions and reports. Their counts and
    changes stay, as history.

    It locks rows in the same order as the evaluator and the handlers, because these may still work on the same profiles
    in another instance.
    """
    parameters = arrays(RemovedProfile, sorted(removed, key=lambda row: row.profile_id))
    async with engine.begin() as connection:
        await lock_profiles(connection, parameters["profile_id"])
        await connection.execute(_DELETE_REPORTS, parameters)
        await lock_closures(connection, parameters["profile_id"])
        await connection.execute(_DELETE_CLOSURES, parameters)
        await connection.execute(_DELETE_CONDITIONS, parameters)
        await connection.execute(_CLEAR_ALERTS, {"profiles": parameters["profile_id"], "now": now})


_REMOVED = unnest(RemovedProfile, "removed")

_DELETE_REPORTS = text(f"""
DELETE FROM stats.report USING {_REMOVED}
WHERE report.profile_id = removed.profile_id
  AND greatest(session_at, quality_at, quota_at) <= removed.removed_at""")

_DELETE_CLOSURES = text(f"""
DELETE FROM stats.closure USING {_REMOVED}
WHERE closure.profile_id = removed.profile_id AND since <= removed.removed_at""")

_DELETE_CONDITIONS = text(
    f"DELETE FROM stats.condition USING {_REMOVED} WHERE condition.profile_id = removed.profile_id"
)

_CLEAR_ALERTS = text("""
UPDATE stats.alert SET cleared_at = CAST(:now AS timestamptz), changed_at = CAST(:now AS timestamptz)
WHERE alert_id = ANY(ARRAY(
    SELECT alert_id FROM stats.alert WHERE profile_id = ANY(CAST(:profiles AS text[])) AND cleared_at IS NULL
    ORDER BY alert_id FOR UPDATE))""")
