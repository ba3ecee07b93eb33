"""Situation: where the profiles of a package stand now, read for a forecast or an explanation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.core.forecast import Situation, Waiting
from pacer.core.policy import Head, Rules
from pacer.sql import views as views


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of the profiles, by profile."""

    releases: Mapping[str, list[datetime]]
    contacts: Mapping[str, list[datetime]]
    parts: Mapping[str, list[Waiting]]
    positions: Mapping[str, float]
    package: Sequence[datetime]
    """The whole package's releases of the last day."""
    gone: Mapping[str, int]
    """How many of the message that is asked about are not held any more."""

    def situation(self, profile_id: str, rules: Rules, added: Sequence[Head] = ()) -> Situation:
        """`added`: what the message brings, in its order; of it the first have gone."""
        gone = min(self.gone.get(profile_id, 0), len(added))
        return Situation(
            profile_id, rules, self.releases.get(profile_id, ()), self.contacts.get(profile_id, ()),
            self.parts.get(profile_id, ()), added[gone:], gone, self.positions.get(profile_id, 0.5),
        )  # fmt: skip


async def read(
    connection: AsyncConnection, package_id: str, profiles: Sequence[str], now: datetime, message_id: str | None = None
) -> Read:
    """`message_id`: the message that is asked about. What is held of it already does not wait ahead of itself."""
    asked = {"profile_ids": list(profiles), "now": now, "message_id": message_id}
    day = await connection.execute(views.PACKAGE_RELEASES, {"package_id": package_id, "now": now})
    return Read(
        releases=await _moments(connection, views.PAST_RELEASES, asked),
        contacts=await _moments(connection, views.UNANSWERED, asked),
        parts=await _parts(connection, asked),
        positions={row.profile_id: row.position for row in await connection.execute(views.PROFILES, asked)},
        package=[row.at for row in day],
        gone={row.profile_id: row.deliveries for row in await connection.execute(views.GONE, asked)},
    )


async def _moments(connection: AsyncConnection, statement: Any, asked: Mapping[str, Any]) -> dict[str, list[datetime]]:
    moments: dict[str, list[datetime]] = defaultdict(list)
    for row in await connection.execute(statement, asked):
        moments[row.profile_id].append(row.at)
    return moments


async def _parts(connection: AsyncConnection, asked: Mapping[str, Any]) -> dict[str, list[Waiting]]:
    parts: dict[str, list[Waiting]] = defaultdict(list)
    for row in await connection.execute(views.QUEUE_PARTS, asked):
        parts[row.profile_id].append(Waiting(row.deliveries, row.rank, row.cold, row.since))
    return parts
