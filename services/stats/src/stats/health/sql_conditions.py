"""Statements about conditions: how profiles stood when they were judged last."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import Health, RiskyPattern
from stats.core.condition import Condition
from stats.core.health import Pause
from stats.core.limit_factor import LimitFactor


async def conditions(connection: AsyncConnection, profiles: Collection[str]) -> dict[str, Condition]:
    rows = await connection.execute(_READ, {"profiles": list(profiles)})
    return {row.profile_id: _condition(row) for row in rows}


async def lock_conditions(connection: AsyncConnection, profiles: Collection[str]) -> dict[str, Condition]:
    """Whoever judges the same profiles waits until this transaction ends; new ones are locked by their names."""
    ordered = sorted(profiles)
    await connection.execute(_LOCK, {"profiles": ordered})
    return await conditions(connection, ordered)


async def save_conditions(connection: AsyncConnection, judged: Mapping[str, Condition]) -> None:
    rows = sorted(judged.items())
    columns: dict[str, list[Any]] = {
        "profiles": [profile for profile, _ in rows],
        "healths": [each.health.model_dump_json() for _, each in rows],
        "risks": [json.dumps([risk.model_dump() for risk in each.risks]) for _, each in rows],
        "pauses": [each.pause.since for _, each in rows],
        "factors": [each.factor.value for _, each in rows],
        "causes": [each.factor.cause for _, each in rows],
        "halveds": [each.factor.halved_at for _, each in rows],
        "steppeds": [each.factor.stepped_at for _, each in rows],
        "signals": [each.signalled_at for _, each in rows],
        "ats": [each.at for _, each in rows],
    }
    await connection.execute(_SAVE, columns)


def _condition(row: Any) -> Condition:
    health = Health.model_validate(_plain(row.health))
    risks = tuple(RiskyPattern.model_validate(each) for each in _plain(row.risks))
    factor = LimitFactor(row.factor, row.factor_cause, row.halved_at, row.stepped_at)
    return Condition(health, risks, Pause(row.paused_at), factor, row.at, row.signalled_at)


def _plain(kept: Any) -> Any:
    return json.loads(kept) if isinstance(kept, str) else kept


_READ = text("SELECT * FROM stats.condition WHERE profile_id = ANY(CAST(:profiles AS text[]))")

_LOCK = text("""
SELECT pg_advisory_xact_lock(hashtextextended(profile_id, 7201))
FROM unnest(CAST(:profiles AS text[])) AS asked (profile_id)""")

_SAVE = text("""
INSERT INTO stats.condition (profile_id, health, risks, paused_at, factor, factor_cause, halved_at, stepped_at,
                             signalled_at, at)
SELECT * FROM unnest(CAST(:profiles AS text[]), CAST(:healths AS jsonb[]), CAST(:risks AS jsonb[]),
                     CAST(:pauses AS timestamptz[]), CAST(:factors AS double precision[]), CAST(:causes AS text[]),
                     CAST(:halveds AS timestamptz[]), CAST(:steppeds AS timestamptz[]),
                     CAST(:signals AS timestamptz[]), CAST(:ats AS timestamptz[]))
ON CONFLICT (profile_id) DO UPDATE SET health = excluded.health, risks = excluded.risks,
    paused_at = excluded.paused_at, factor = excluded.factor, factor_cause = excluded.factor_cause,
    halved_at = excluded.halved_at, stepped_at = excluded.stepped_at, signalled_at = excluded.signalled_at,
    at = excluded.at""")
