"""Table on a real Kafka: complete when it is ready, and it follows changes."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator

import pytest
from aiokafka import AIOKafkaProducer
from topic_harness import NOON

from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured, ProfilePace
from spreader.kafka.client import client_arguments
from spreader.kafka.envelope import encode
from spreader.kafka.table import Table
from spreader.settings import Settings

pytestmark = pytest.mark.kafka

PATIENCE_SECONDS = 60


def pace(profile_id: str, waiting: int = 0) -> ProfilePace:
    return ProfilePace(
        profile_id=profile_id,
        package_id="pkg_1",
        waiting=waiting,
        last_release=None,
        next_release=None,
        bound="none",
        base_seconds=1,
        pressure=1,
        tempo=1,
        mean_seconds=1,
        at=NOON,
    )


class Writer:
    """Puts rows into the compacted topic, with keys of this test's own."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.prefix = f"prf_{uuid.uuid4().hex[:8]}"
        self._producer = producer

    def key(self, name: str) -> str:
        return f"{self.prefix}_{name}"

    async def put(self, name: str, waiting: int) -> None:
        envelope = encode(pace(self.key(name), waiting), "test", NOON)
        headers = [(header, value.encode()) for header, value in envelope.headers.items()]
        await self._producer.send_and_wait(envelope.topic, envelope.body, key=envelope.key, headers=headers)

    async def put_package(self, name: str, version: int, removed: bool = False) -> None:
        package = Package(package_id=self.key(name), version=version, name=name)
        envelope = encode(PackageConfigured(package=package, removed=removed, at=NOON), "test", NOON)
        headers = [(header, value.encode()) for header, value in envelope.headers.items()]
        await self._producer.send_and_wait(envelope.topic, envelope.body, key=envelope.key, headers=headers)

    async def put_raw(self, name: str, body: bytes | None) -> None:
        await self._producer.send_and_wait(ProfilePace.topic, body, key=self.key(name).encode())


@pytest.fixture
def kafka_settings(kafka_servers: str) -> Settings:
    return Settings(kafka_bootstrap_servers=kafka_servers)


@pytest.fixture
async def writer(kafka_settings: Settings) -> AsyncGenerator[Writer]:
    async with AIOKafkaProducer(**client_arguments(kafka_settings), acks="all") as producer:
        yield Writer(producer)


@pytest.fixture
async def table(kafka_settings: Settings) -> AsyncGenerator[Table[ProfilePace]]:
    """Not started; stopped in the end."""
    table = Table(kafka_settings, ProfilePace)
    yield table
    await table.stop()


def waiting(table: Table[ProfilePace], writer: Writer) -> dict[str, int]:
    mine = {key: row.waiting for key, row in table.rows.items() if key.startswith(writer.prefix)}
    return {key.removeprefix(f"{writer.prefix}_"): count for key, count in mine.items()}


async def test_after_the_start_it_has_the_newest_row_of_every_key(table: Table[ProfilePace], writer: Writer) -> None:
    for count in range(3):
        await writer.put("a", count)
        await writer.put("b", 10 * count)
    assert table.not_ready_reason() == "it has not read all of its topic yet"
    await table.start()
    assert table.not_ready_reason() is None
    assert waiting(table, writer) == {"a": 2, "b": 20}
    row = table.get(writer.key("a"))
    assert row is not None
    assert row.waiting == 2
    assert table.get("nobody") is None


async def test_it_follows_changes(table: Table[ProfilePace], writer: Writer) -> None:
    await table.start()
    await writer.put("a", 1)
    assert await table.wait_for(lambda: waiting(table, writer) == {"a": 1}, PATIENCE_SECONDS)
    await writer.put("a", 2)
    assert await table.wait_for(lambda: waiting(table, writer) == {"a": 2}, PATIENCE_SECONDS)


async def test_a_tombstone_removes_a_row_at_start_and_later(table: Table[ProfilePace], writer: Writer) -> None:
    for name in ("early", "late", "kept"):
        await writer.put(name, 1)
    await writer.put_raw("early", None)
    await table.start()
    assert waiting(table, writer) == {"late": 1, "kept": 1}
    await writer.put_raw("late", None)
    assert await table.wait_for(lambda: waiting(table, writer) == {"kept": 1}, PATIENCE_SECONDS)


async def test_an_undecodable_row_keeps_the_previous_one(table: Table[ProfilePace], writer: Writer) -> None:
    await writer.put("a", 1)
    await writer.put_raw("a", b"\xff garbage")
    await table.start()
    await writer.put_raw("a", b"{}")
    await writer.put("b", 2)
    assert await table.wait_for(lambda: "b" in waiting(table, writer), PATIENCE_SECONDS)
    assert waiting(table, writer) == {"a": 1, "b": 2}


async def test_it_reports_every_change_in_order(kafka_settings: Settings, writer: Writer) -> None:
    changes: list[tuple[str, int | None]] = []

    def on_change(key: str, event: ProfilePace | None) -> None:
        if key == writer.key("a"):
            changes.append((key, event.waiting if event else None))

    await writer.put("a", 1)
    await writer.put("a", 2)
    table = Table(kafka_settings, ProfilePace, on_change)
    await table.start()
    await writer.put_raw("a", None)
    assert await table.wait_for(lambda: len(changes) == 3, PATIENCE_SECONDS)
    await table.stop()
    assert changes == [(writer.key("a"), count) for count in (1, 2, None)]


async def test_two_instances_have_the_same_rows(kafka_settings: Settings, writer: Writer) -> None:
    tables = [Table(kafka_settings, ProfilePace) for _ in range(2)]
    await asyncio.gather(*(table.start() for table in tables))
    await writer.put("a", 7)
    for table in tables:
        assert await table.wait_for(lambda table=table: waiting(table, writer) == {"a": 7}, PATIENCE_SECONDS)
    await asyncio.gather(*(table.stop() for table in tables))


async def test_a_row_that_does_not_exist_is_waited_for_only_while_records_are_unread(
    table: Table[ProfilePace], writer: Writer
) -> None:
    await table.start()
    began = time.monotonic()
    assert not await table.wait_until_read(lambda: "never" in waiting(table, writer), PATIENCE_SECONDS)
    assert time.monotonic() - began < PATIENCE_SECONDS / 6
    await writer.put("a", 1)
    assert await table.wait_until_read(lambda: "a" in waiting(table, writer), PATIENCE_SECONDS)


async def test_a_wait_for_a_table_that_is_not_started_ends_at_once(table: Table[ProfilePace]) -> None:
    assert not await table.wait_until_read(lambda: False, PATIENCE_SECONDS)


async def test_a_late_copy_of_an_older_version_changes_nothing(kafka_settings: Settings, writer: Writer) -> None:
    table = Table(kafka_settings, PackageConfigured)
    await writer.put_package("a", 2)
    await writer.put_package("a", 1)
    await table.start()
    await writer.put_package("b", 1)
    await writer.put_package("b", 3)
    await writer.put_package("b", 3, removed=True)
    await writer.put_package("b", 2)
    await writer.put_package("c", 1)
    assert await table.wait_for(lambda: table.get(writer.key("c")) is not None, PATIENCE_SECONDS)
    rows = {name: table.rows[writer.key(name)] for name in ("a", "b")}
    assert {name: (row.package.version, row.removed) for name, row in rows.items()} == {"a": (2, False), "b": (3, True)}
    await table.stop()


async def test_a_wait_ends_at_its_timeout_and_returns_false(table: Table[ProfilePace]) -> None:
    await table.start()
    assert not await table.wait_for(lambda: False, timeout=0.01)


async def test_without_its_topic_the_start_fails_with_what_to_do(kafka_settings: Settings) -> None:
    class Elsewhere(ProfilePace):
        topic = "spreader.no-such-topic"

    with pytest.raises(
        Exception, match=r"no-such-topic does not exist: .* `make up`, or .* `python -m spreader topics`"
    ):
        await Table(kafka_settings, Elsewhere).start()


async def test_without_a_broker_the_start_fails_and_leaves_nothing_open() -> None:
    table = Table(Settings(kafka_bootstrap_servers="127.0.0.1:1"), ProfilePace)
    for _ in range(2):
        with pytest.raises(Exception, match="Unable to bootstrap"):
            await table.start()
    assert table.not_ready_reason() is not None


async def test_it_can_be_started_again_after_a_stop(table: Table[ProfilePace], writer: Writer) -> None:
    await table.start()
    await table.stop()
    await writer.put("a", 1)
    await table.start()
    assert waiting(table, writer) == {"a": 1}
