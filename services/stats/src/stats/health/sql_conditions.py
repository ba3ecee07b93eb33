"""Statements about conditions: the results of the last evaluations."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import Health, RiskyPattern
from spreader.runtime.rows import arrays, column, columns, fetched, unnest
from stats.core.condition import Condition
from stats.core.health import Pause
from stats.core.limit_factor import LimitFactor


@dataclass(frozen=True, slots=True)
class ConditionRow:
    profile_id: str
    paused_at: datetime | None
    factor: float
    factor_cause: str | None
    halved_at: datetime | None
    stepped_at: datetime | None
    signalled_at: datetime
    at: datetime
    health: Any = column("jsonb")  # noqa: RUF009 - a field, as with dataclasses.field
    risks: Any = column("jsonb")  # noqa: RUF009
    """`health` and `risks` are JSON. They are written as texts and read as decoded values."""

    @classmethod
    def of(cls, profile_id: str, condition: Condition) -> "ConditionRow":
        return cls(
            profile_id=profile_id,
            paused_at=condition.pause.since,
            factor=condition.factor.value,
            factor_cause=condition.factor.cause,
            halved_at=condition.factor.halved_at,
            stepped_at=condition.factor.stepped_at,
            signalled_at=condition.signalled_at,
            at=condition.at,
            health=condition.health.model_dump_json(),
            risks=json.dumps([risk.model_dump() for risk in condition.risks]),
        )

    @property
    def condition(self) -> Condition:
        return Condition(
            Health.model_validate(self.health),
            tuple(RiskyPattern.model_validate(risk) for risk in self.risks),
            Pause(self.paused_at),
            LimitFactor(self.factor, self.factor_cause, self.halved_at, self.stepped_at),
            self.at,
            self.signalled_at,
        )


async def conditions(connection: AsyncConnection, added_at: Mapping[str, datetime]) -> dict[str, Condition]:
    """The condition of each profile. `added_at`: when each profile was added. A condition from before that time is of
    an earlier profile with the same id."""
    rows = fetched(ConditionRow, await connection.execute(_READ, {"profiles": list(added_at)}))
    return {row.profile_id: row.condition for row in rows if row.at >= added_at[row.profile_id]}


async def lock_conditions(connection: AsyncConnection, added_at: Mapping[str, datetime]) -> dict[str, Condition]:
    """Like `conditions`, but it also locks all these profiles until the commit, even the profiles without a
    condition."""
    await lock_profiles(connection, added_at)
    return await conditions(connection, added_at)


async def lock_profiles(connection: AsyncConnection, profiles: Collection[str]) -> None:
    """Lock these profiles against other evaluations until the commit."""
    await connection.execute(_LOCK, {"profiles": sorted(profiles)})


async def save_conditions(connection: AsyncConnection, by_profile: Mapping[str, Condition]) -> None:
    rows = [ConditionRow.of(profile, condition) for profile, condition in sorted(by_profile.items())]
    await connection.execute(_SAVE, arrays(ConditionRow, rows))


_READ = text(f"""
SELECT {columns(ConditionRow)} FROM stats.condition WHERE profile_id = ANY(CAST(:profiles AS text[]))""")

_LOCK = text("""
SELECT pg_advisory_xact_lock(hashtextextended(profile_id, 7201))
FROM unnest(CAST(:profiles AS text[])) AS wanted (profile_id)""")

_SAVE = text(f"""
INSERT INTO stats.condition ({columns(ConditionRow)})
SELECT {columns(ConditionRow)} FROM {unnest(ConditionRow, "new")}
ON CONFLICT (profile_id) DO UPDATE SET health = excluded.health, risks = excluded.risks,
    paused_at = excluded.paused_at, factor = excluded.factor, factor_cause = excluded.factor_cause,
    halved_at = excluded.halved_at, stepped_at = excluded.stepped_at, signalled_at = excluded.signalled_at,
    at = excluded.at""")
