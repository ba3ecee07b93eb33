"""Republication: publishes all configuration and consents again when Kafka has lost them.

Kafka has lost these records after a move to another cluster, or after a topic was deleted and created again. The
ingress must publish them, because the other services know configuration and consents only from Kafka.

First the ingress puts all packages into the outbox, and marks all consents and removals as unpublished. Then it stores
the ids of the new cluster and its topics. If the ingress crashes before it has stored them, the republication begins
again. That is harmless, because a record that is published twice changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.registry import Registry
from ingress.sql import removals
from ingress.sql import republication as sql
from ingress.sql.republication import ConsentPlace
from spreader.runtime.rows import fetched

log = structlog.get_logger()

CHECK_SECONDS = 5.0
PACKAGES_AT_ONCE = 100
CONSENTS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Republication:
    """`cluster_id` returns the ids of the Kafka cluster and its topics as one text, or None while they are unknown."""

    engine: AsyncEngine
    registry: Registry
    cluster_id: Callable[[], str | None]

    async def run_once(self) -> float:
        cluster_id = self.cluster_id()
        if cluster_id is None or await self._is_published(cluster_id):
            return CHECK_SECONDS
        packages = await self._packages()
        await self._consents()
        async with self.engine.begin() as connection:
            await connection.execute(removals.ANNOUNCE_AGAIN)
            await connection.execute(sql.FORGET_CLUSTERS, {"cluster_id": cluster_id})
            await connection.execute(sql.SAVE_CLUSTER, {"cluster_id": cluster_id})
        log.info(
            "this Kafka cluster or one of its topics is new; publishing all packages and consents", packages=packages
        )
        return CHECK_SECONDS

    async def _is_published(self, cluster_id: str) -> bool:
        async with self.engine.connect() as connection:
            return (await connection.execute(sql.IS_PUBLISHED, {"cluster_id": cluster_id})).scalar_one()

    async def _packages(self) -> int:
        """Put every package into the outbox. Returns the number of packages."""
        count, after = 0, ""
        while rows := await self.registry.packages(after, PACKAGES_AT_ONCE):
            for row in rows:
                await self.registry.publish_again(row.package_id)
            count, after = count + len(rows), rows[-1].package_id
        return count

    async def _consents(self) -> None:
        """Mark all consents as unpublished, `CONSENTS_AT_ONCE` in each transaction."""
        last = ConsentPlace("", "opt_in", "")
        while True:
            place = {"package_id": last.package_id, "kind": last.kind, "recipient": last.recipient}
            async with self.engine.begin() as connection:
                rows = await connection.execute(sql.CONSENTS_AGAIN, {**place, "limit": CONSENTS_AT_ONCE})
                marked = fetched(ConsentPlace, rows)
            if not marked:
                return
            last = max(marked, key=lambda row: (row.package_id, row.kind, row.recipient))
