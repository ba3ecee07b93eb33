"""Recreated topic: a topic of a real Kafka is deleted and created again while a service reads it. Also: a start under
load."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from topic_harness import TOPIC, TopicHarness, alert

from spreader.contract.events import Alert
from spreader.kafka.client import client_arguments, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.topic_state import KnownTopics, TopicIds
from spreader.kafka.topics import create_topics
from spreader.runtime.migrations.sql import POSITION_TABLE
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.testing import counted_sql

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

STARTS = 12


@dataclass
class Reader:
    """A service that notes which alerts had an effect."""

    engine: AsyncEngine
    offsets: OffsetStoreComponent
    noted: list[str] = field(default_factory=list[str])
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, batch: Sequence[Received[Alert]]) -> None:
        self.busy.set()
        await self.may_go_on.wait()
        async with self.engine.begin() as connection:
            new = await self.offsets.unseen(connection, batch)
        self.noted += [record.event.alert_id for record in new]

    async def has_noted(self, *numbers: int) -> None:
        """Each of these alerts at least once since the last call."""
        wanted = {f"alr_{number}" for number in numbers}
        await until(lambda: _as_awaitable(wanted <= set(self.noted)))
        self.noted.clear()


async def _as_awaitable(value: bool) -> bool:
    return value


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.kafka.client.METADATA_MS", 500)


@pytest.fixture
async def engine(settings: Settings) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(settings, "counter")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA counter"))
        await connection.execute(text(POSITION_TABLE.format(schema="counter")))
    yield engine
    await engine.dispose()


@asynccontextmanager
async def reading(settings: Settings, engine: AsyncEngine) -> AsyncGenerator[Reader]:
    offsets = OffsetStoreComponent(settings, engine, "counter", (TOPIC,))
    await offsets.start()
    reader = Reader(engine, offsets)
    reader.may_go_on.set()
    yield reader
    await offsets.stop()


async def recreate(harness: TopicHarness) -> None:
    admin = AIOKafkaAdminClient(**client_arguments(harness.settings))
    await admin.start()
    await admin.delete_topics([TOPIC])
    await admin.close()

    async def created() -> bool:
        try:
            return TOPIC in await create_topics(harness.settings)
        except KafkaError:  # its deletion has not ended
            return False

    await until(created)


async def test_a_topic_that_is_recreated_while_a_service_reads_it_is_read_from_its_beginning(
    harness: TopicHarness, settings: Settings, engine: AsyncEngine
) -> None:
    async with reading(settings, engine) as reader:
        member = await harness.join(reader.handle)
        await harness.put(*map(alert, range(5)))
        await reader.has_noted(*range(5))
        await recreate(harness)
        await harness.put(*map(alert, range(10, 13)))
        await reader.has_noted(*range(10, 13))
        await harness.leave(member)


async def test_the_first_record_of_a_partition_finds_its_position_stored(
    harness: TopicHarness, settings: Settings, engine: AsyncEngine
) -> None:
    async with reading(settings, engine) as reader:
        member = await harness.join(reader.handle)
        with counted_sql() as sql:
            await harness.put(alert(1))
            await reader.has_noted(1)
        assert [statement for statement in sql.statements if "INSERT" in statement] == []
        await harness.leave(member)


async def test_a_recreated_topic_that_has_outgrown_the_readers_offset_loses_no_record(
    harness: TopicHarness, settings: Settings, engine: AsyncEngine
) -> None:
    async with reading(settings, engine) as reader:
        member = await harness.join(reader.handle)
        await harness.put(*map(alert, range(3)))
        await reader.has_noted(*range(3))
        reader.busy.clear()
        reader.may_go_on.clear()
        await harness.put(alert(3))
        await reader.busy.wait()  # its next offset is higher than the number of records of the old topic
        await recreate(harness)
        await harness.put(*map(alert, range(10, 110)))
        reader.may_go_on.set()
        await reader.has_noted(*range(10, 110))
        await harness.leave(member)


@pytest.fixture
def new_ids(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Other ids than Kafka's, by topic: as if the topic had been recreated so fast that its readers saw nothing."""
    asked, instead = TopicIds.of, dict[str, str]()

    async def of(self: TopicIds, topics: Collection[str]) -> KnownTopics:
        known = await asked(self, topics)
        return replace(known, ids={**known.ids, **instead})

    monkeypatch.setattr(TopicIds, "of", of)
    return instead


async def test_a_reader_without_stored_offsets_begins_again_as_well(
    harness: TopicHarness, new_ids: dict[str, str]
) -> None:
    noted: list[str] = []

    async def note(batch: Sequence[Received[Alert]]) -> None:
        noted.extend(record.event.alert_id for record in batch)

    await harness.join(note)
    await harness.put(alert("first"))
    await until(lambda: _as_awaitable(noted == ["alr_first"]))
    new_ids[TOPIC] = "second"
    await until(lambda: _as_awaitable(noted.count("alr_first") == 2))
    await harness.wait_until_consumed()
    assert noted.count("alr_first") == 2


async def test_a_batch_that_fails_meanwhile_does_not_hide_the_beginning(
    harness: TopicHarness, new_ids: dict[str, str]
) -> None:
    noted: list[str] = []
    failing, fails = asyncio.Event(), True

    async def note(batch: Sequence[Received[Alert]]) -> None:
        ids = [record.event.alert_id for record in batch]
        if fails and "alr_bad" in ids:
            failing.set()
            await until(lambda: _as_awaitable(not fails))
            raise ConnectionError("the database went away")
        noted.extend(ids)

    member = await harness.join(note)
    await harness.put(alert("good"))
    await until(lambda: _as_awaitable(noted == ["alr_good"]))
    await harness.put(alert("bad"))
    await failing.wait()
    new_ids[TOPIC] = "second"
    await member.check()
    fails = False
    await until(lambda: _as_awaitable({"alr_bad", "alr_good"} <= set(noted[1:])))


async def test_an_instance_that_starts_under_load_keeps_the_positions_of_the_others(
    harness: TopicHarness, settings: Settings, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE counter.deleted (topic text)"))
        await connection.execute(
            text(
                "CREATE RULE note AS ON DELETE TO counter.position"
                " DO ALSO INSERT INTO counter.deleted VALUES (OLD.topic)"
            )
        )
    done = False

    async def load() -> None:
        number = 0
        while not done:
            await harness.put(alert(number := number + 1))

    async with reading(settings, engine) as reader:
        member = await harness.join(reader.handle)
        loading = asyncio.create_task(load())
        await until(lambda: _as_awaitable(len(reader.noted) > 2))
        for _ in range(STARTS):
            async with reading(settings, engine):
                assert reader.noted
        done = True
        await loading
        await harness.leave(member)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM counter.deleted"))).scalar_one() == 0


async def test_a_component_knows_when_a_topic_that_it_only_watches_was_recreated(harness: TopicHarness) -> None:
    component = KafkaComponent(create_broker(harness.settings, "test"), harness.settings, watched=(TOPIC,))
    assert component.home is None
    await component.start()
    before = component.home
    assert before is not None
    await recreate(harness)

    async def has_changed() -> bool:
        return component.home != before

    await until(has_changed)
    await component.stop()
