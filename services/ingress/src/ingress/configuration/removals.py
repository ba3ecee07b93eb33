"""Removals: records that announce the deletion of a package, and tombstones that remove these records later.

A tombstone alone would not be enough. If a service finds no record of a package, it cannot know whether the package was
deleted or is not read yet. So the ingress publishes a deletion as a record, which compaction keeps. It publishes the
tombstone much later, when no service can have a delivery of the package any more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.infra import outbox
from ingress.sql import removals as sql
from ingress.sql.removals import RemovedPackage
from spreader.clock import Now
from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured
from spreader.kafka.envelope import Envelope, encode
from spreader.runtime.rows import fetched

AT_ONCE_MAX = 100
ANNOUNCE_EVERY_SECONDS = 5.0
FORGET_EVERY_SECONDS = 3_600.0
KEEP = timedelta(days=30)
"""The least time from a removal to its tombstone. It is far longer than the 7 days for which records stay in the topics
of deliveries."""

MakeRecord = Callable[[RemovedPackage, datetime], Envelope]


@dataclass(frozen=True, slots=True)
class Removals:
    engine: AsyncEngine
    now: Now
    wake_relay: Callable[[], None]
    keep: timedelta = KEEP

    async def announce(self) -> float:
        """Publish the removals that are not published yet.

        A removal can be unpublished for two reasons. An older version of the ingress did not publish removals. After a
        move to a new Kafka cluster, the ingress marks all removals as unpublished.
        """
        async with self.engine.begin() as connection:
            packages = fetched(RemovedPackage, await connection.execute(sql.UNANNOUNCED, {"limit": AT_ONCE_MAX}))
            await announce(connection, packages, self.now())
        if packages:
            self.wake_relay()
        return 0.0 if len(packages) == AT_ONCE_MAX else ANNOUNCE_EVERY_SECONDS

    async def forget(self) -> float:
        """Publish tombstones for packages that were removed long ago and have no unfinished delivery."""
        async with self.engine.begin() as connection:
            params = {"keep": self.keep, "limit": AT_ONCE_MAX}
            packages = fetched(RemovedPackage, await connection.execute(sql.FORGETTABLE, params))
            await _put(connection, packages, _tombstone, sql.MARK_FORGOTTEN, self.now())
        if packages:
            self.wake_relay()
        return 0.0 if len(packages) == AT_ONCE_MAX else FORGET_EVERY_SECONDS


async def announce(connection: AsyncConnection, packages: Sequence[RemovedPackage], now: datetime) -> None:
    """Put the records of these removals into the outbox, in the caller's transaction."""
    await _put(connection, packages, _removal, sql.MARK_ANNOUNCED, now)


async def _put(
    connection: AsyncConnection,
    packages: Sequence[RemovedPackage],
    make_record: MakeRecord,
    mark: TextClause,
    now: datetime,
) -> None:
    if packages:
        await outbox.put(connection, [make_record(package, now) for package in packages])
        await connection.execute(mark, {"package_ids": [package.package_id for package in packages]})


def _removal(removed: RemovedPackage, now: datetime) -> Envelope:
    package = Package(package_id=removed.package_id, version=removed.version + 1, name=removed.package_id, paused=True)
    return encode(PackageConfigured(package=package, removed=True, at=now), "ingress", now)


def _tombstone(removed: RemovedPackage, now: datetime) -> Envelope:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{removed.package_id}/forgotten/{now.isoformat()}",
        "ce_source": "/spreader/ingress",
        "ce_type": PackageConfigured.type,
        "ce_time": now.isoformat(),
    }
    return Envelope(PackageConfigured.topic, removed.package_id.encode(), None, headers)
