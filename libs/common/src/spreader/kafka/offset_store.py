"""Offset store: the offsets that a service has processed, saved in the transaction of their effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import Event
from spreader.kafka.client import cluster_and_end_offsets
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.rows import arrays, column, fetched, unnest
from spreader.settings import Settings

log = structlog.get_logger()

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class _Position:
    topic: str
    next_offset: int
    partition: int = column("int")


@dataclass(frozen=True, slots=True)
class OffsetStore:
    """Skips the records below the stored offset, because they have had their effects.

    The offset that is committed to Kafka cannot decide this, because it may be older: the process may crash after the
    commit to Postgres and before the commit to Kafka. A stored offset is valid for one cluster only, because the topics
    of another cluster begin at 0.
    """

    schema: str
    cluster_id: str

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        """The records of `batch` that have had no effect yet. They are marked as read in the caller's transaction,
        which must also write their effects.

        After a rebalance there may be a second reader of the same partition. It waits here until the first has
        committed.
        """
        ends = _ends(batch)
        stored = await self._locked(connection, ends)
        if len(stored) < len(ends):  # a partition that is read for the first time
            await self._execute(connection, _ENSURE, ends)
            stored = await self._locked(connection, ends)
        await self._execute(connection, _ADVANCE, ends)
        return [record for record in batch if record.offset >= stored[record.topic, record.partition]]

    async def drop_beyond(self, connection: AsyncConnection, ends: dict[tuple[str, int], int]) -> int:
        """Delete the offsets that are past the end of their topic; returns how many it deleted.

        Such a topic was deleted and created again. With the old offset, the first records of the new topic would be
        skipped as processed.
        """
        positions = [_Position(topic, end, partition) for (topic, partition), end in ends.items()]
        return (await self._execute(connection, _DROP, positions)).rowcount

    async def _locked(self, connection: AsyncConnection, ends: Sequence[_Position]) -> dict[tuple[str, int], int]:
        positions = fetched(_Position, await self._execute(connection, _LOCK, ends))
        return {(position.topic, position.partition): position.next_offset for position in positions}

    async def _execute(self, connection: AsyncConnection, statement: str, positions: Sequence[_Position]) -> Any:
        parameters = {"cluster_id": self.cluster_id, **arrays(_Position, positions)}
        return await connection.execute(self._sql(statement), parameters)

    def _sql(self, statement: str) -> TextClause:
        return text(statement.format(schema=self.schema))


class Deduplicator(Protocol):
    """The port through which a handler drops the records whose effects are stored already."""

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]: ...


class OffsetStoreComponent:
    """The offset store of a running service. It asks Kafka for the cluster's id before anything is read."""

    name = "positions"

    def __init__(self, settings: Settings, engine: AsyncEngine, schema: str, topics: Sequence[str]) -> None:
        self._settings = settings
        self._engine = engine
        self._schema = schema
        self._topics = topics
        self._store: OffsetStore | None = None

    async def start(self) -> None:
        cluster_id, ends = await cluster_and_end_offsets(self._settings, self._topics)
        store = OffsetStore(self._schema, cluster_id)
        async with self._engine.begin() as connection:
            dropped = await store.drop_beyond(connection, ends)
        if dropped:
            log.warning(
                "stored offset is past the end of the topic (recreated?); restarting from the beginning",
                partitions=dropped,
            )
        self._store = store

    async def stop(self) -> None:
        self._store = None

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        assert self._store is not None, "the component is not started"
        return await self._store.unseen(connection, batch)


def _ends(batch: Sequence[Received[E]]) -> list[_Position]:
    """The offset after the last record of each partition, sorted, so that two readers do not deadlock."""
    ends: dict[tuple[str, int], int] = {}
    for record in batch:
        key = (record.topic, record.partition)
        ends[key] = max(ends.get(key, 0), record.offset + 1)
    return [_Position(topic, end, partition) for (topic, partition), end in sorted(ends.items())]


_ENSURE = f"""
INSERT INTO "{{schema}}".position (cluster_id, topic, partition, next_offset)
SELECT :cluster_id, batch.topic, batch.partition, 0 FROM {unnest(_Position, "batch")}
ON CONFLICT DO NOTHING"""

_LOCK = f"""
SELECT position.topic, position.partition, position.next_offset
FROM "{{schema}}".position JOIN {unnest(_Position, "batch")} USING (topic, partition)
WHERE position.cluster_id = :cluster_id ORDER BY position.topic, position.partition FOR UPDATE OF position"""

_ADVANCE = f"""
UPDATE "{{schema}}".position SET next_offset = greatest(position.next_offset, batch.next_offset)
FROM {unnest(_Position, "batch")}
WHERE position.cluster_id = :cluster_id AND position.topic = batch.topic AND position.partition = batch.partition"""

_DROP = f"""
DELETE FROM "{{schema}}".position USING {unnest(_Position, "batch")}
WHERE position.cluster_id = :cluster_id AND position.topic = batch.topic
  AND position.partition = batch.partition AND position.next_offset > batch.next_offset"""
