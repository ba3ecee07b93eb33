"""Snapshot: the current state of a package's profiles, read for a forecast."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Result
from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.core.forecast import QueuePart, QueueSnapshot
from pacer.core.policy import HeldDelivery, Rules
from pacer.sql import views
from pacer.sql.release import PacedProfile
from spreader.runtime.rows import fetched


@dataclass(frozen=True, slots=True)
class PackageSnapshot:
    """What was read about each profile, by profile id."""

    releases: Mapping[str, list[datetime]]
    contacts: Mapping[str, list[datetime]]
    parts: Mapping[str, list[QueuePart]]
    positions: Mapping[str, float]
    package_releases: Sequence[datetime]
    """The whole package's releases of the last day."""
    gone: Mapping[str, int]
    """How many deliveries of the message that is forecast are not held any more."""

    def profile(self, profile_id: str, rules: Rules, added: Sequence[HeldDelivery] = ()) -> QueueSnapshot:
        """`added`: the deliveries of the message that is forecast, in order. If n of them are not held any more, the
        first n are left out, because the first ones are released first."""
        gone = min(self.gone.get(profile_id, 0), len(added))
        return QueueSnapshot(
            profile_id,
            rules,
            self.releases.get(profile_id, ()),
            self.contacts.get(profile_id, ()),
            self.parts.get(profile_id, ()),
            added[gone:],
            gone,
            self.positions.get(profile_id, 0.5),
        )


async def read_snapshot(
    connection: AsyncConnection, package_id: str, profiles: Sequence[str], now: datetime, message_id: str | None = None
) -> PackageSnapshot:
    """`message_id`: the message that is forecast. Its held deliveries do not count as ahead of it."""
    params = {"profile_ids": list(profiles), "now": now, "message_id": message_id}
    day = await connection.execute(views.PACKAGE_RELEASES, {"package_id": package_id, "now": now})
    rows = fetched(PacedProfile, await connection.execute(views.PROFILES, params))
    gone = fetched(views.GoneCount, await connection.execute(views.GONE, params))
    return PackageSnapshot(
        releases=_times(await connection.execute(views.PAST_RELEASES, params)),
        contacts=_times(await connection.execute(views.UNANSWERED, params)),
        parts=_parts(await connection.execute(views.QUEUE_PARTS, params)),
        positions={row.profile_id: row.position for row in rows},
        package_releases=day.scalars().all(),
        gone={row.profile_id: row.deliveries for row in gone},
    )


def _times(result: Result[tuple[str, datetime]]) -> dict[str, list[datetime]]:
    times: dict[str, list[datetime]] = defaultdict(list)
    for row in fetched(views.ProfileTime, result):
        times[row.profile_id].append(row.at)
    return times


def _parts(result: Result[tuple[object, ...]]) -> dict[str, list[QueuePart]]:
    parts: dict[str, list[QueuePart]] = defaultdict(list)
    for row in fetched(views.QueuePartRow, result):
        parts[row.profile_id].append(QueuePart(row.deliveries, row.rank, row.cold, row.since))
    return parts
