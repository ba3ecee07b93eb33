"""Batching: few fetches, which wait at the broker for as long as nothing else is wanted, and lose no record."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest
from topic_harness import TopicHarness, alert

from spreader.contract.events import Alert
from spreader.kafka import batching
from spreader.kafka.batching import (
    FETCHES,
    IDLE_MS,
    PARTIAL_WAIT_MS,
    PAUSE_BYTES_MAX,
    Batches,
    Fetches,
    LowLatencyConsumer,
)
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.subscription import NO_GATHERING, Gathering

GATHER_MS = 3_000
NEVER_SECONDS = 3_600.0
WAIT_MS = 5_000
NODE = 1


def fetch_request() -> FetchRequest:
    return FetchRequest(WAIT_MS, 1, 1_000_000, 0, [("topic", [(0, 5, 1_000)])])


def answer(size: int) -> Any:
    """An answer to a fetch, with `size` bytes of records."""
    return SimpleNamespace(topics=[("topic", [(0, 0, 7, None, b"x" * size)])])


@dataclass
class Connection:
    is_open: bool = True

    def close(self) -> None:
        self.is_open = False


@dataclass
class Cluster:
    """The leader of each partition of one topic."""

    leaders: dict[int, int]
    listeners: list[Any] = field(default_factory=list[Any])

    def add_listener(self, listener: Any) -> None:
        self.listeners.append(listener)

    def topics(self) -> set[str]:
        return {"topic"}

    def partitions_for_topic(self, _: str) -> set[int]:
        return set(self.leaders)

    def leader_for_partition(self, partition: Any) -> int:
        return self.leaders[partition.partition]

    def refresh(self) -> None:
        for listener in self.listeners:
            listener(self)


@dataclass
class Client:
    """A client of one broker, which answers a fetch only when the test says so."""

    cluster: Cluster = field(default_factory=lambda: Cluster({0: NODE}))
    connections: dict[Any, Connection] = field(default_factory=dict[Any, Connection])
    sent: list[Any] = field(default_factory=list[Any])
    answered: asyncio.Future[Any] = field(default_factory=asyncio.Future[Any])

    async def ready(self, node_id: int, group: Any) -> bool:
        self.connections.setdefault((node_id, group), Connection())
        return True

    async def send(self, _: int, request: Any, *, group: Any = None) -> Any:
        self.sent.append((request, group))
        return await self.answered

    @property
    def _conns(self) -> dict[Any, Connection]:
        return self.connections

    @property
    def connection(self) -> Connection:
        return self.connections[(NODE, FETCHES)]


def fetches_of(client: Client, *, is_partial: bool = False) -> Fetches:
    return Fetches(client, lambda: is_partial)  # type: ignore[arg-type] - as much of a client as is used


async def in_flight(client: Client, fetches: Fetches) -> asyncio.Task[Any]:
    """A fetch that waits at the broker."""
    task = asyncio.create_task(fetches.send(NODE, fetch_request()))
    async with asyncio.timeout(5):
        while not client.sent:
            await asyncio.sleep(0)
    return task


async def test_fetches_have_a_connection_of_their_own() -> None:
    client = Client()
    fetches = fetches_of(client)
    client.answered.set_result(answer(0))
    await fetches.send(NODE, "another request")
    await fetches.send(NODE, fetch_request())
    assert [group for _, group in client.sent] == [None, FETCHES]


@pytest.mark.parametrize(("is_partial", "wait_ms"), [(False, WAIT_MS), (True, PARTIAL_WAIT_MS)])
async def test_a_fetch_without_all_partitions_waits_only_briefly(is_partial: bool, wait_ms: int) -> None:
    """Dies when it waits as long as the others: a partition whose records were taken meanwhile would wait for it."""
    client = Client()
    client.answered.set_result(answer(0))
    await fetches_of(client, is_partial=is_partial).send(NODE, fetch_request())
    [(request, _)] = client.sent
    assert getattr(request, "_max_wait_ms") == wait_ms  # noqa: B009 - private


async def test_a_cancelled_fetch_closes_its_connection() -> None:
    """Otherwise the broker would answer nothing else on this connection until the fetch has ended."""
    client = Client()
    task = await in_flight(client, fetches_of(client))
    connection = client.connection
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not connection.is_open
    assert (NODE, FETCHES) not in client.connections


async def test_an_interrupt_ends_the_fetch_without_an_error() -> None:
    client = Client()
    fetches = fetches_of(client)
    task = await in_flight(client, fetches)
    connection = client.connection
    fetches.interrupt()
    assert not connection.is_open
    client.answered.set_exception(KafkaConnectionError("closed"))  # as aiokafka does when a connection is closed
    assert (await task).topics == ()


async def test_without_an_interrupt_an_error_is_an_error() -> None:
    client = Client()
    task = await in_flight(client, fetches_of(client))
    client.answered.set_exception(KafkaConnectionError("broken"))
    with pytest.raises(KafkaConnectionError):
        await task


async def test_a_moved_partition_ends_the_fetch_in_flight() -> None:
    """Dies when the fetch goes on: the broker that leads the partition now would be asked for it only afterwards."""
    client = Client()
    client.cluster.leaders[1] = 2
    fetches = fetches_of(client)
    client.cluster.refresh()
    task = await in_flight(client, fetches)
    connection = client.connection
    client.cluster.refresh()  # nothing has changed
    assert connection.is_open
    client.cluster.leaders[1] = NODE
    client.cluster.refresh()
    assert not connection.is_open
    task.cancel()


@pytest.mark.parametrize("size", [0, PAUSE_BYTES_MAX])
async def test_after_no_or_many_records_the_next_fetch_follows_at_once(size: int) -> None:
    client = Client()
    fetches = fetches_of(client)
    fetches.pause_seconds = NEVER_SECONDS
    client.answered.set_result(answer(size))
    async with asyncio.timeout(5):
        for _ in range(2):
            await fetches.send(NODE, fetch_request())
    assert len(client.sent) == 2


async def test_after_few_records_the_next_fetch_waits_and_is_made_anew() -> None:
    client = Client()
    fetches = fetches_of(client)
    fetches.pause_seconds = 0.05
    client.answered.set_result(answer(1))
    assert (await fetches.send(NODE, fetch_request())).topics
    assert (await fetches.send(NODE, fetch_request())).topics == ()  # the pause; the fetcher makes a request after it
    assert len(client.sent) == 1
    assert (await fetches.send(NODE, fetch_request())).topics
    assert len(client.sent) == 2


async def test_it_waits_for_the_first_record_and_returns_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def getmany(_: AIOKafkaConsumer, **options: Any) -> dict[Any, Any]:
        asked.append(options)
        return {}

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", getmany)
    consumer = LowLatencyConsumer(bootstrap_servers="127.0.0.1:1")
    await consumer.getmany(timeout_ms=GATHER_MS, max_records=10)
    assert asked == [{"timeout_ms": IDLE_MS, "max_records": 10}]
    assert consumer.fetches.pause_seconds == GATHER_MS / 1000
    await consumer.stop()


@pytest.fixture
def empty_answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fetches of guarded consumers that the broker answered without a record, after their whole wait."""
    monkeypatch.setattr(batching, "FETCH_WAIT_MS", 9_000)
    send, answers = AIOKafkaClient.send, list[str]()

    async def noted(client: AIOKafkaClient, node_id: Any, request: Any, **options: Any) -> Any:
        result: Any = await send(client, node_id, request, **options)
        if options.get("group") == FETCHES and not any(part[-1] for _, parts in result.topics for part in parts):
            answers.append(str(request.topics))
        return result

    monkeypatch.setattr(AIOKafkaClient, "send", noted)
    return answers


class Failing:
    """Fails once for each record, so that each is read again."""

    def __init__(self) -> None:
        self.seen = list[int]()

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        new = {received.offset for received in batch} - {*self.seen}
        self.seen += [received.offset for received in batch]
        if new:
            raise ConnectionError("once more")


@pytest.mark.kafka
async def test_a_failed_batch_is_read_again_although_a_fetch_waits(
    harness: TopicHarness, empty_answers: list[str]
) -> None:
    """Dies when a seek does not end the fetch in flight, which asks for the records after the failed ones."""
    handler = Failing()
    await harness.join(handler, NO_GATHERING)
    await harness.put(alert(1))
    await harness.wait_until_consumed()
    assert len(handler.seen) == 2
    assert empty_answers == []


@pytest.mark.kafka
async def test_a_batch_that_fails_again_and_again_is_read_again_at_once(
    harness: TopicHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies when aiokafka's fetcher forgets a request that ended while the fetcher woke for a seek. It then sleeps until
    its time-out, and the reader gets nothing meanwhile."""
    getmany, found = LowLatencyConsumer.getmany, list[bool]()

    async def noted(consumer: LowLatencyConsumer, *partitions: TopicPartition, **options: Any) -> Batches:
        batches = await getmany(consumer, *partitions, **options)
        found.append(bool(batches))
        return batches

    monkeypatch.setattr(LowLatencyConsumer, "getmany", noted)
    errors = [ConnectionError("once more")] * 6

    async def fail(batch: Sequence[Received[Alert]]) -> None:
        if errors:
            raise errors.pop()

    await harness.put(alert(1))
    await harness.join(fail, NO_GATHERING)
    await harness.wait_until_consumed()
    assert found[:7] == [True] * 7


@pytest.mark.kafka
async def test_records_close_together_are_one_batch_when_gathering(harness: TopicHarness) -> None:
    sizes: list[int] = []

    async def count(batch: Sequence[Received[Alert]]) -> None:
        sizes.append(len(batch))

    await harness.join(count, Gathering(GATHER_MS, commits=False))
    for number in range(8):
        await harness.put(alert(number))
    await harness.wait_until_consumed()
    assert sum(sizes) == 8
    assert len(sizes) < 8
