"""Snapshot: the current state of a package's profiles, read for a forecast.

Times are read as numbers, because a profile may have hundreds of them. They become times only in the process that
computes the forecast.
"""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import overload

from sqlalchemy import Result
from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.core.forecast.queue_snapshot import QueuePart
from pacer.sql import views
from pacer.sql.release import PacedProfile
from spreader.runtime.rows import fetched

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Times(Sequence[datetime]):
    """Times that are computed when they are read."""

    microseconds: "array[int]"
    """The times, counted from 1970."""

    def __len__(self) -> int:
        return len(self.microseconds)

    @overload
    def __getitem__(self, place: int) -> datetime: ...
    @overload
    def __getitem__(self, place: slice) -> "Times": ...
    def __getitem__(self, place: int | slice) -> "datetime | Times":
        if isinstance(place, slice):
            return Times(self.microseconds[place])
        return EPOCH + timedelta(microseconds=self.microseconds[place])


def times(microseconds: Sequence[int]) -> Times:
    return Times(array("q", microseconds))


@dataclass(frozen=True, slots=True)
class PackageQueues:
    """`waiting`: how many deliveries each profile holds, without those of the message that is forecast. `gone`: how
    many deliveries of that message are not held any more."""

    waiting: Mapping[str, int]
    gone: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PackageSnapshot:
    """What was read about each profile, by profile id."""

    releases: Mapping[str, Times]
    contacts: Mapping[str, Times]
    parts: Mapping[str, list[QueuePart]]
    positions: Mapping[str, float]
    package_releases: Times
    """The whole package's newest releases of the last day; empty if the package has no limit of its own."""


async def read_queues(connection: AsyncConnection, profile_ids: Sequence[str], message_id: str | None) -> PackageQueues:
    """`message_id`: the message that is forecast. Its held deliveries do not count as ahead of it."""
    params = {"profile_ids": list(profile_ids), "message_id": message_id}
    waiting = fetched(views.ProfileCount, await connection.execute(views.QUEUE_SIZES, params))
    gone = fetched(views.ProfileCount, await connection.execute(views.GONE, params))
    return PackageQueues(
        {row.profile_id: row.deliveries for row in waiting}, {row.profile_id: row.deliveries for row in gone}
    )


async def read_snapshot(
    connection: AsyncConnection,
    package_id: str,
    per_day: int | None,
    profile_ids: Sequence[str],
    now: datetime,
    message_id: str | None = None,
) -> PackageSnapshot:
    """`per_day`: the package's own limit. `message_id`: as in `read_queues`."""
    params = {"profile_ids": list(profile_ids), "now": now, "message_id": message_id}
    rows = fetched(PacedProfile, await connection.execute(views.PROFILES, params))
    day: Sequence[int] = ()
    if per_day is not None:
        limited = {"package_id": package_id, "now": now, "per_day": per_day}
        day = (await connection.execute(views.PACKAGE_RELEASES, limited)).scalars().all()
    return PackageSnapshot(
        releases=_times(await connection.execute(views.PAST_RELEASES, params)),
        contacts=_times(await connection.execute(views.PAST_CONTACTS, params)),
        parts=_parts(await connection.execute(views.QUEUE_PARTS, params)),
        positions={row.profile_id: row.position for row in rows},
        package_releases=times(day),
    )


def _times(result: Result[tuple[str, list[int]]]) -> dict[str, Times]:
    return {row.profile_id: times(row.microseconds) for row in fetched(views.ProfileMicroseconds, result)}


def _parts(result: Result[tuple[object, ...]]) -> dict[str, list[QueuePart]]:
    parts: dict[str, list[QueuePart]] = defaultdict(list)
    for row in fetched(views.QueuePartRow, result):
        parts[row.profile_id].append(QueuePart(row.deliveries, row.rank, row.cold, row.since))
    return parts
