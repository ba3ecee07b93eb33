"""Offset store on a real Postgres: each record has its effect once, however often and by whom it is read."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import MessageCancelled
from spreader.kafka.guarded_consumer import Received, RecreatedTopic
from spreader.kafka.offset_store import OffsetStore, StoredPosition
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

pytestmark = pytest.mark.postgres

EVENT = MessageCancelled(package_id="pkg_shop", message_id="msg_1", at=datetime(2026, 3, 1, tzinfo=UTC))
POSITIONS = OffsetStore("counter", "cluster-1")
TABLES = (
    "CREATE SCHEMA counter",
    "CREATE TABLE counter.effect (topic text, partition int, place bigint)",
    "CREATE TABLE counter.position (cluster_id text, topic text, partition int, next_offset bigint NOT NULL,"
    " topic_id text,"
    " PRIMARY KEY (cluster_id, topic, partition))",
)


def records(*offsets: int, partition: int = 0, topic: str = "requests") -> list[Received[MessageCancelled]]:
    return [Received(EVENT, topic, partition, offset) for offset in offsets]


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "counter")
    async with engine.begin() as connection:
        for statement in TABLES:
            await connection.execute(text(statement))
    yield engine
    await engine.dispose()


async def read(
    engine: AsyncEngine, batch: list[Received[MessageCancelled]], positions: OffsetStore = POSITIONS
) -> None:
    """What every handler does: effects and position in one transaction."""
    async with engine.begin() as connection:
        for each in await positions.unseen(connection, batch):
            await connection.execute(
                text("INSERT INTO counter.effect VALUES (:topic, :partition, :place)"),
                {"topic": each.topic, "partition": each.partition, "place": each.offset},
            )


async def effects(engine: AsyncEngine) -> list[tuple[str, int, int]]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT topic, partition, place FROM counter.effect ORDER BY 1, 2, 3"))
        return [(row.topic, row.partition, row.place) for row in rows]


async def test_a_repeated_record_is_skipped(engine: AsyncEngine) -> None:
    await read(engine, records(0, 1, 2))
    await read(engine, records(1, 2, 3))
    await read(engine, records(0, 1, 2, 3))
    assert await effects(engine) == [("requests", 0, place) for place in (0, 1, 2, 3)]


async def test_partitions_and_topics_are_counted_apart(engine: AsyncEngine) -> None:
    await read(engine, records(5) + records(0, partition=1) + records(2, topic="other"))
    await read(engine, records(6) + records(0, 1, partition=1) + records(2, 3, topic="other"))
    assert await effects(engine) == [
        ("other", 0, 2),
        ("other", 0, 3),
        ("requests", 0, 5),
        ("requests", 0, 6),
        ("requests", 1, 0),
        ("requests", 1, 1),
    ]


async def test_gaps_from_compaction_do_not_matter(engine: AsyncEngine) -> None:
    await read(engine, records(3, 9))
    await read(engine, records(3, 9, 40))
    assert await effects(engine) == [("requests", 0, place) for place in (3, 9, 40)]


async def test_an_offset_is_rolled_back_with_its_effects(engine: AsyncEngine) -> None:
    with pytest.raises(RuntimeError, match="the handler failed"):  # noqa: PT012 - the transaction is what is asked
        async with engine.begin() as connection:
            assert len(await POSITIONS.unseen(connection, records(0, 1))) == 2
            raise RuntimeError("the handler failed")
    await read(engine, records(0, 1))
    assert await effects(engine) == [("requests", 0, 0), ("requests", 0, 1)]


async def test_a_second_reader_waits_for_the_first_and_then_skips_its_records(engine: AsyncEngine) -> None:
    second: asyncio.Task[None]
    async with engine.begin() as connection:
        assert len(await POSITIONS.unseen(connection, records(0, 1))) == 2
        second = asyncio.create_task(read(engine, records(0, 1, 2)))
        await waiting_for_a_lock(engine)
        assert await effects(engine) == []
    await second
    assert await effects(engine) == [("requests", 0, 2)]


async def test_a_second_reader_processes_what_the_first_rolled_back(engine: AsyncEngine) -> None:
    connection = await engine.connect()
    first = await connection.begin()
    await POSITIONS.unseen(connection, records(0, 1))
    second = asyncio.create_task(read(engine, records(0, 1)))
    await waiting_for_a_lock(engine)
    await first.rollback()
    await connection.close()
    await second
    assert await effects(engine) == [("requests", 0, 0), ("requests", 0, 1)]


async def test_readers_of_partitions_in_different_orders_do_not_deadlock(engine: AsyncEngine) -> None:
    one_way = records(*range(9)) + records(*range(9), partition=1)
    await asyncio.gather(*(read(engine, batch) for batch in (one_way, one_way[::-1]) * 4))
    assert await effects(engine) == [("requests", partition, place) for partition in (0, 1) for place in range(9)]


async def test_the_offsets_of_another_cluster_are_separate(engine: AsyncEngine) -> None:
    await read(engine, records(0, 1))
    await read(engine, records(0), OffsetStore("counter", "cluster-2"))
    await read(engine, records(1), POSITIONS)
    assert await effects(engine) == [("requests", 0, 0), ("requests", 0, 0), ("requests", 0, 1)]


async def test_an_offset_beyond_the_end_of_its_partition_is_dropped(engine: AsyncEngine) -> None:
    await read(engine, records(9) + records(4, partition=1))
    assert await dropped(engine, await stored(engine), {("requests", 0): 2, ("requests", 1): 5}) == 1
    await read(engine, records(0) + records(4, partition=1))
    assert await effects(engine) == [("requests", 0, 0), ("requests", 0, 9), ("requests", 1, 4)]


async def test_an_offset_that_has_changed_since_it_was_looked_at_is_kept(engine: AsyncEngine) -> None:
    await read(engine, records(9))
    seen = await stored(engine)
    await read(engine, records(10))
    assert await dropped(engine, seen, {("requests", 0): 2}) == 0
    await read(engine, records(10))
    assert await effects(engine) == [("requests", 0, 9), ("requests", 0, 10)]


async def stored(engine: AsyncEngine) -> Sequence[StoredPosition]:
    async with engine.connect() as connection:
        return await POSITIONS.positions(connection, ["requests"])


async def dropped(engine: AsyncEngine, seen: Sequence[StoredPosition], ends: dict[tuple[str, int], int]) -> int:
    async with engine.begin() as connection:
        return await POSITIONS.drop_beyond(connection, seen, ends)


class Kafka:
    """Says what id the topic has."""

    def __init__(self, topic_id: str) -> None:
        self.topic_id = topic_id
        self.asked = 0

    async def ids(self, topics: Collection[str]) -> Mapping[str, str]:
        self.asked += 1
        return dict.fromkeys(topics, self.topic_id)


async def test_the_records_of_a_recreated_topic_are_not_skipped(engine: AsyncEngine) -> None:
    kafka = Kafka("first")
    reader = OffsetStore("counter", "cluster-1", kafka.ids)
    await read(engine, records(0, 1, 2), reader)
    kafka.topic_id = "second"
    await read(engine, records(0, 1), reader)
    await read(engine, records(0, 1, 2), OffsetStore("counter", "cluster-1", kafka.ids))
    assert await effects(engine) == [("requests", 0, place) for place in (0, 0, 1, 1, 2, 2)]


async def test_a_recreated_topic_that_is_read_from_the_middle_is_read_from_its_beginning(engine: AsyncEngine) -> None:
    kafka = Kafka("first")
    await read(engine, records(0, 1, 2), OffsetStore("counter", "cluster-1", kafka.ids))
    kafka.topic_id = "second"
    restarted = OffsetStore("counter", "cluster-1", kafka.ids)
    with pytest.raises(RecreatedTopic) as raised:
        await read(engine, records(3, 4) + records(7, partition=1), restarted)
    assert raised.value.partitions == {("requests", 0)}
    await read(engine, records(1, 2, 3), restarted)  # Kafka has deleted the record at 0
    assert await effects(engine) == [("requests", 0, place) for place in (0, 1, 1, 2, 2, 3)]


async def test_kafka_is_asked_only_before_a_record_is_skipped(engine: AsyncEngine) -> None:
    kafka = Kafka("first")
    reader = OffsetStore("counter", "cluster-1", kafka.ids)
    for place in range(5):
        await read(engine, records(place), reader)
    assert kafka.asked == 1
    await read(engine, records(4, 5), reader)
    assert kafka.asked == 2


async def test_another_instance_that_has_noticed_first_is_believed(engine: AsyncEngine) -> None:
    kafka = Kafka("first")
    early, late = (OffsetStore("counter", "cluster-1", kafka.ids) for _ in range(2))
    await read(engine, records(0), late)
    kafka.topic_id = "second"
    await read(engine, records(0, 1, 2), early)
    await read(engine, records(2, 3), late)
    assert await effects(engine) == [("requests", 0, place) for place in (0, 0, 1, 2, 3)]


async def test_an_offset_of_an_older_version_gets_the_id_of_its_topic(engine: AsyncEngine) -> None:
    kafka = Kafka("first")
    await read(engine, records(0, 1))
    assert [position.topic_id for position in await stored(engine)] == [None]
    async with engine.begin() as connection:
        await POSITIONS.adopt(connection, await POSITIONS.positions(connection, ["requests"]), {"requests": "first"})
    assert [position.topic_id for position in await stored(engine)] == ["first"]
    await read(engine, records(1, 2), OffsetStore("counter", "cluster-1", kafka.ids))
    assert await effects(engine) == [("requests", 0, place) for place in (0, 1, 2)]


async def test_an_empty_batch_changes_nothing(engine: AsyncEngine) -> None:
    await read(engine, [])
    assert await effects(engine) == []


spans = st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(1, 4))


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(spans, max_size=8))
async def test_however_often_records_are_read_each_has_its_effect_once(
    engine: AsyncEngine, rereads: list[tuple[int, int, int]]
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE counter.effect, counter.position"))
    furthest = {0: 0, 1: 0}
    for partition, start, length in rereads:
        start = min(start, furthest[partition])  # Kafka goes back to what was committed, never beyond what was read
        await read(engine, records(*range(start, start + length), partition=partition))
        furthest[partition] = max(furthest[partition], start + length)
    assert await effects(engine) == [("requests", each, place) for each in furthest for place in range(furthest[each])]


async def waiting_for_a_lock(engine: AsyncEngine) -> None:
    """Return when a statement of this database waits for another's lock."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with engine.connect() as connection:
        while not (await connection.execute(waits)).scalar_one():
            await connection.rollback()


async def test_a_missing_position_is_added_and_a_stored_one_stays(engine: AsyncEngine) -> None:
    await read(engine, records(0, 1, 2))
    async with engine.begin() as connection:
        await POSITIONS.add_missing(connection, {("requests", 0), ("requests", 1)})
        stored = {each.partition: each.next_offset for each in await POSITIONS.positions(connection, ["requests"])}
    assert stored == {0: 3, 1: 0}
    await read(engine, records(2, 3) + records(0, partition=1))
    assert await effects(engine) == [*(("requests", 0, place) for place in range(4)), ("requests", 1, 0)]
