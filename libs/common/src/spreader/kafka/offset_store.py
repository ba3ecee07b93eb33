"""Offset store: the offsets that a service has processed, saved in the transaction of their effects."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import Event
from spreader.kafka.client import partitions_of
from spreader.kafka.guarded_consumer import Partition, Received, RecreatedTopic
from spreader.kafka.topic_state import EndOffsets, TopicIds
from spreader.runtime.rows import arrays, column, fetched, unnest
from spreader.settings import Settings

log = structlog.get_logger()

E = TypeVar("E", bound=Event)

Ids = Mapping[str, str]
"""The id of each topic that exists. It is "" if the broker gives its topics no ids."""
Ask = Callable[[Collection[str]], Awaitable[Ids]]


async def no_ids(topics: Collection[str]) -> Ids:
    """Answers without asking Kafka, for tests of one service and for brokers without ids."""
    return dict.fromkeys(topics, "")


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """How far a partition is processed. `topic_id` is the id of the topic that the offset belongs to. It is None if an
    older version of the service stored the offset."""

    topic: str
    next_offset: int
    topic_id: str | None
    partition: int = column("int")


@dataclass(slots=True)
class OffsetStore:
    """Skips the records below the stored offset, because their effects are stored already.

    The offset that is committed to Kafka cannot decide this. It may be older, because the process may crash after the
    commit to Postgres and before the commit to Kafka. A stored offset is valid for one topic of one cluster only. A
    topic that was deleted and created again has another id and begins at 0.
    """

    schema: str
    cluster_id: str
    ask: Ask = no_ids
    """Asks Kafka for the ids of topics."""
    _ids: dict[str, str] = field(default_factory=dict[str, str], init=False)
    _rewound: set[tuple[Partition, str]] = field(default_factory=set[tuple[Partition, str]], init=False)
    """The partitions that this process reads from the beginning, each with the id of its topic."""

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        """The records of `batch` that have had no effect yet. They are marked as read in the caller's transaction,
        which must also write their effects.

        After a rebalance there may be a second reader of the same partition. It waits here until the first has
        committed. Raises RecreatedTopic if a topic was created again and records before this batch may be unread.
        """
        ends = _ends(batch)
        stored = await self._locked(connection, ends)
        if len(stored) < len(ends):  # a partition that was added after the start of this process
            await self.add_missing(connection, [(end.topic, end.partition) for end in ends])
            stored = await self._locked(connection, ends)
        firsts = _firsts(batch)
        skipping = {key[0] for key, position in stored.items() if firsts[key] < position.next_offset}
        ids = await self._ids_for(skipping, stored)
        recreated = {key for key, position in stored.items() if _is_of_another_topic(position, ids)}
        self._rewind(recreated, firsts, ids)
        seen = {key: 0 if key in recreated else position.next_offset for key, position in stored.items()}
        reached = [
            StoredPosition(
                end.topic,
                max(end.next_offset, seen[end.topic, end.partition]),
                ids.get(end.topic) or stored[end.topic, end.partition].topic_id,
                end.partition,
            )
            for end in ends
        ]
        await self._execute(connection, _ADVANCE, reached)
        return [record for record in batch if record.offset >= seen[record.topic, record.partition]]

    async def positions(self, connection: AsyncConnection, topics: Collection[str]) -> Sequence[StoredPosition]:
        parameters = {"cluster_id": self.cluster_id, "topics": sorted(topics)}
        return fetched(StoredPosition, await connection.execute(self._sql(_POSITIONS), parameters))

    async def add_missing(self, connection: AsyncConnection, partitions: Collection[Partition]) -> None:
        """Add a position at offset 0 for each partition that has none, so that the first record of a partition does not
        wait for this."""
        firsts = [StoredPosition(topic, 0, None, partition) for topic, partition in sorted(partitions)]
        await self._execute(connection, _ENSURE, firsts)

    async def drop_beyond(
        self, connection: AsyncConnection, positions: Sequence[StoredPosition], ends: Mapping[Partition, int]
    ) -> int:
        """Delete the stored positions that are past the end of their partition. Returns how many it deleted.

        Such a partition has lost records, or its topic was created again by a broker without topic ids. With the old
        offset, its next records would be skipped as processed. A position that has changed since `positions` was read
        stays. `ends` must be read after `positions`. Otherwise the position of a running reader could be past an old
        end.
        """
        beyond = [
            position
            for position in positions
            if position.next_offset > ends.get((position.topic, position.partition), position.next_offset)
        ]
        return (await self._execute(connection, _DROP, beyond)).rowcount

    async def adopt(self, connection: AsyncConnection, positions: Sequence[StoredPosition], ids: Ids) -> None:
        """Add the topic's id to each position that an older version has stored without one. A position that has changed
        since `positions` was read stays as it is."""
        without = [
            StoredPosition(position.topic, position.next_offset, ids[position.topic], position.partition)
            for position in positions
            if position.topic_id is None and ids.get(position.topic)
        ]
        await self._execute(connection, _ADOPT, without)

    async def _ids_for(self, skipping: Collection[str], stored: Mapping[Partition, StoredPosition]) -> Ids:
        """The ids of the topics. Kafka is asked only before a record is skipped, or when the stored id is not the one
        that this process knows. So a reader that only moves on asks Kafka nothing."""
        topics = {topic for topic, _ in stored}
        doubtful = {
            position.topic
            for position in stored.values()
            if position.topic not in self._ids or _is_of_another_topic(position, self._ids)
        }
        asked = doubtful | set(skipping)
        if asked:
            answer = await self.ask(asked)
            if asked - answer.keys():
                raise ConnectionError(f"Kafka does not have these topics now: {sorted(asked - answer.keys())}")
            self._ids.update(answer)
        return {topic: self._ids[topic] for topic in topics}

    def _rewind(self, recreated: Collection[Partition], firsts: Mapping[Partition, int], ids: Ids) -> None:
        """Raises RecreatedTopic once for each recreated partition that is not read from its first record."""
        unread = {key for key in recreated if firsts[key] > 0 and (key, ids[key[0]]) not in self._rewound}
        if unread:
            self._rewound |= {(key, ids[key[0]]) for key in unread}
            raise RecreatedTopic(unread)
        if recreated:
            log.warning("a topic was created again; reading it from the beginning", partitions=sorted(recreated))

    async def _locked(
        self, connection: AsyncConnection, ends: Sequence[StoredPosition]
    ) -> dict[Partition, StoredPosition]:
        positions = fetched(StoredPosition, await self._execute(connection, _LOCK, ends))
        return {(position.topic, position.partition): position for position in positions}

    async def _execute(self, connection: AsyncConnection, statement: str, positions: Sequence[StoredPosition]) -> Any:
        parameters = {"cluster_id": self.cluster_id, **arrays(StoredPosition, positions)}
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
        self._topic_ids = TopicIds(settings)
        self._ends = EndOffsets(settings)
        self._store: OffsetStore | None = None

    async def start(self) -> None:
        try:
            self._store = await self._checked_store()
        finally:
            await self._ends.close()  # only the start asks for them

    async def stop(self) -> None:
        self._store = None
        await self._topic_ids.close()
        await self._ends.close()

    async def _checked_store(self) -> OffsetStore:
        known = await self._topic_ids.of(self._topics)
        store = OffsetStore(self._schema, known.cluster_id, self._ask)
        async with self._engine.connect() as connection:
            positions = await store.positions(connection, self._topics)
        ends = await self._end_offsets()  # after reading the positions, because other instances move them on meanwhile
        async with self._engine.begin() as connection:
            dropped = await store.drop_beyond(connection, positions, ends)
            await store.adopt(connection, positions, known.ids)
            await store.add_missing(connection, ends.keys())
        if dropped:
            log.warning(
                "stored offset is past the end of the topic (recreated?); restarting from the beginning",
                partitions=dropped,
            )
        return store

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        assert self._store is not None, "the component is not started"
        return await self._store.unseen(connection, batch)

    async def _ask(self, topics: Collection[str]) -> Ids:
        return (await self._topic_ids.of(topics)).ids

    async def _end_offsets(self) -> dict[Partition, int]:
        ends = await self._ends.of(await partitions_of(self._settings, *self._topics))
        return {(partition.topic, partition.partition): end for partition, end in ends.items()}


def _is_of_another_topic(position: StoredPosition, ids: Ids) -> bool:
    known = ids.get(position.topic)
    return bool(known) and position.topic_id is not None and position.topic_id != known


def _firsts(batch: Sequence[Received[E]]) -> dict[Partition, int]:
    """The offset of the first record of each partition in the batch."""
    firsts: dict[Partition, int] = {}
    for record in batch:
        key = (record.topic, record.partition)
        firsts[key] = min(firsts.get(key, record.offset), record.offset)
    return firsts


def _ends(batch: Sequence[Received[E]]) -> list[StoredPosition]:
    """For each partition, the offset after its last record in the batch. The partitions are sorted, so that two readers
    do not deadlock."""
    ends: dict[Partition, int] = {}
    for record in batch:
        key = (record.topic, record.partition)
        ends[key] = max(ends.get(key, 0), record.offset + 1)
    return [StoredPosition(topic, end, None, partition) for (topic, partition), end in sorted(ends.items())]


_POSITIONS = """
SELECT topic, next_offset, topic_id, partition FROM "{schema}".position
WHERE cluster_id = :cluster_id AND topic = ANY (CAST(:topics AS text[]))"""

_ENSURE = f"""
INSERT INTO "{{schema}}".position (cluster_id, topic, partition, next_offset)
SELECT :cluster_id, batch.topic, batch.partition, 0 FROM {unnest(StoredPosition, "batch")}
ON CONFLICT DO NOTHING"""

_LOCK = f"""
SELECT position.topic, position.partition, position.next_offset, position.topic_id
FROM "{{schema}}".position JOIN {unnest(StoredPosition, "batch")} USING (topic, partition)
WHERE position.cluster_id = :cluster_id ORDER BY position.topic, position.partition FOR UPDATE OF position"""

_ADVANCE = f"""
UPDATE "{{schema}}".position SET next_offset = batch.next_offset, topic_id = batch.topic_id
FROM {unnest(StoredPosition, "batch")}
WHERE position.cluster_id = :cluster_id AND position.topic = batch.topic AND position.partition = batch.partition"""

_ADOPT = f"""
UPDATE "{{schema}}".position SET topic_id = batch.topic_id FROM {unnest(StoredPosition, "batch")}
WHERE position.cluster_id = :cluster_id AND position.topic = batch.topic AND position.partition = batch.partition
  AND position.next_offset = batch.next_offset AND position.topic_id IS NULL"""

_DROP = f"""
DELETE FROM "{{schema}}".position USING {unnest(StoredPosition, "batch")}
WHERE position.cluster_id = :cluster_id AND position.topic = batch.topic
  AND position.partition = batch.partition AND position.next_offset = batch.next_offset"""
