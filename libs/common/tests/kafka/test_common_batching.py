"""Batching: returns at the first record, gathers when it should, and loses no record."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from topic_harness import TopicHarness, alert

from spreader.contract.events import Alert
from spreader.kafka.batching import IDLE_MS, Batches, LowLatencyConsumer, merge_records
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.subscription import Gathering

ONE, TWO = TopicPartition("topic", 0), TopicPartition("topic", 1)
GATHER_MS = 3_000


@dataclass(frozen=True)
class At:
    """A record of which only the place counts."""

    offset: int


def at(*offsets: int) -> list[Any]:
    return [At(offset) for offset in offsets]


@dataclass
class Script:
    """The results of aiokafka in order, and the arguments with which it was called."""

    answers: list[Batches | Exception]
    asked: list[tuple[int, int | None]] = field(default_factory=list[tuple[int, int | None]])

    async def __call__(self, *_: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Batches:
        self.asked.append((timeout_ms, max_records))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def consumer() -> AsyncGenerator[LowLatencyConsumer]:
    consumer = LowLatencyConsumer(bootstrap_servers="127.0.0.1:1")
    yield consumer
    await consumer.stop()


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: Batches | Exception) -> Script:
    script = Script(list(answers))
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", script)
    return script


async def test_it_waits_for_the_first_record_and_returns_it(
    consumer: LowLatencyConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = scripted(monkeypatch, {ONE: at(5)})
    assert await consumer.getmany(max_records=10) == {ONE: at(5)}
    assert script.asked == [(IDLE_MS, 10)]


async def test_records_that_arrive_while_gathering_join_the_batch_up_to_its_size(
    consumer: LowLatencyConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = scripted(monkeypatch, {ONE: at(5, 6)}, {ONE: at(7), TWO: at(1)}, {ONE: at(8, 9)})
    assert await consumer.getmany(timeout_ms=1, max_records=10) == {ONE: at(5, 6, 7), TWO: at(1)}
    assert await consumer.getmany(timeout_ms=1, max_records=2) == {ONE: at(8, 9)}  # full: it gathers no more
    assert script.asked == [(IDLE_MS, 10), (0, 8), (IDLE_MS, 2)]


@pytest.mark.parametrize("error", [KafkaError("away"), ConsumerStoppedError()])
async def test_an_error_while_gathering_loses_no_record(
    consumer: LowLatencyConsumer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Dies when the error is raised at once: aiokafka has passed over the records, and the next commit loses them."""
    scripted(monkeypatch, {ONE: at(5)}, error, error)
    assert await consumer.getmany(timeout_ms=1) == {ONE: at(5)}
    with pytest.raises(type(error)):
        await consumer.getmany(timeout_ms=1)


async def test_without_a_first_record_it_does_not_gather(
    consumer: LowLatencyConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = scripted(monkeypatch, {})
    assert await consumer.getmany(timeout_ms=GATHER_MS) == {}
    assert len(script.asked) == 1


def test_a_partition_that_was_reassigned_begins_again() -> None:
    """It was given to another join and back, and goes on where the group had committed."""
    found: Batches = {ONE: at(5, 6), TWO: at(1)}
    merge_records(found, {ONE: at(4, 5, 6, 7)})
    assert found == {ONE: at(4, 5, 6, 7), TWO: at(1)}


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
