"""Positions: how far a service has read, kept in the same transaction as what it did with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import Event
from spreader.kafka.client import log_ends
from spreader.kafka.guarded_consumer import Received
from spreader.settings import Settings

log = structlog.get_logger()

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class OffsetStore:
    """The offset in the same transaction: a record below the stored offset has had its effect and is skipped.

    Kafka's own committed offset may lag behind (a crash between the two commits); this one decides. It holds for one
    cluster: another cluster's log starts anew.
    """

    schema: str
    cluster_id: str

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        """The records of `batch` that have had no effect yet, now marked as read; commit it with their effects.

        A second reader of the same partition (after a rebalance) waits here until the first has committed.
        """
        ends = _ends(batch)
        topics, partitions = [topic for topic, _ in ends], [partition for _, partition in ends]
        places = {"cluster_id": self.cluster_id, "topics": topics, "partitions": partitions}
        stored = await self._locked(connection, places)
        if len(stored) < len(ends):  # a partition that is read for the first time
            await connection.execute(self._sql(_ENSURE), places)
            stored = await self._locked(connection, places)
        await connection.execute(self._sql(_ADVANCE), {**places, "next_offsets": list(ends.values())})
        return [each for each in batch if each.offset >= stored[each.topic, each.partition]]

    async def _locked(self, connection: AsyncConnection, places: dict[str, Any]) -> dict[tuple[str, int], int]:
        rows = await connection.execute(self._sql(_LOCK), places)
        return {(row.topic, row.partition): row.next_offset for row in rows}

    async def forget_beyond(self, connection: AsyncConnection, ends: dict[tuple[str, int], int]) -> int:
        """Drop positions past the end of the log (it was lost and begun anew); answers how many were dropped.

        Without this, everything written to the new log would be taken for read, and lost.
        """
        result = await connection.execute(
            self._sql(_FORGET),
            {
                "cluster_id": self.cluster_id,
                "topics": [topic for topic, _ in ends],
                "partitions": [partition for _, partition in ends],
                "next_offsets": list(ends.values()),
            },
        )
        return result.rowcount

    def _sql(self, statement: str) -> TextClause:
        return text(statement.format(schema=self.schema))


class Deduplicator(Protocol):
    """What a handler asks: which records are new?"""

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]: ...


class OffsetStoreComponent:
    """The positions of a running service: a part that learns the cluster's name before anything is read."""

    name = "positions"

    def __init__(self, settings: Settings, engine: AsyncEngine, schema: str, topics: Sequence[str]) -> None:
        self._settings = settings
        self._engine = engine
        self._schema = schema
        self._topics = topics
        self._positions: OffsetStore | None = None

    async def start(self) -> None:
        cluster, ends = await log_ends(self._settings, self._topics)
        positions = OffsetStore(self._schema, cluster)
        async with self._engine.begin() as connection:
            dropped = await positions.forget_beyond(connection, ends)
        if dropped:
            log.warning("a log is younger than what was read of it: it is read from its beginning", partitions=dropped)
        self._positions = positions

    async def stop(self) -> None:
        self._positions = None

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        assert self._positions is not None, "a part that is not started was asked"
        return await self._positions.unseen(connection, batch)


def _ends(batch: Sequence[Received[E]]) -> dict[tuple[str, int], int]:
    ends: dict[tuple[str, int], int] = {}
    for each in sorted(batch, key=lambda each: (each.topic, each.partition)):
        place = (each.topic, each.partition)
        ends[place] = max(ends.get(place, 0), each.offset + 1)
    return ends


_PLACES = "unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]))"
_ENDS = "unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:next_offsets AS bigint[]))"

_ENSURE = f"""
INSERT INTO "{{schema}}".position (cluster_id, topic, partition, next_offset)
SELECT :cluster_id, place.topic, place.partition, 0 FROM {_PLACES} AS place (topic, partition)
ON CONFLICT DO NOTHING"""

_LOCK = f"""
SELECT position.topic, position.partition, position.next_offset
FROM "{{schema}}".position JOIN {_PLACES} AS place (topic, partition) USING (topic, partition)
WHERE position.cluster_id = :cluster_id ORDER BY position.topic, position.partition FOR UPDATE OF position"""

_ADVANCE = f"""
UPDATE "{{schema}}".position SET next_offset = greatest(position.next_offset, place.next_offset)
FROM {_ENDS} AS place (topic, partition, next_offset)
WHERE position.cluster_id = :cluster_id AND position.topic = place.topic AND position.partition = place.partition"""

_FORGET = f"""
DELETE FROM "{{schema}}".position USING {_ENDS} AS place (topic, partition, next_offset)
WHERE position.cluster_id = :cluster_id AND position.topic = place.topic
  AND position.partition = place.partition AND position.next_offset > place.next_offset"""
