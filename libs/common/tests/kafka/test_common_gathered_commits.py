"""Gathered commits: few commits, none beyond what was handled, and none missing after a stop or a revocation."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from topic_harness import TopicHarness, alert

from spreader.contract.events import Alert
from spreader.kafka import batching
from spreader.kafka.batching import GatheredCommits
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.subscription import GATHER_COMMITS

ONE, TWO = TopicPartition("topic", 0), TopicPartition("topic", 1)
NEVER_SECONDS = 3_600


@dataclass(frozen=True)
class At:
    """A record of which only the place counts."""

    partition: int
    offset: int
    topic: str = "topic"


@dataclass
class Group:
    """A consumer that records its commits, or refuses them with an error."""

    assigned: set[TopicPartition]
    errors: list[Exception] = field(default_factory=list[Exception])
    commits: list[dict[TopicPartition, int]] = field(default_factory=list[dict[TopicPartition, int]])

    def assignment(self) -> Iterable[TopicPartition]:
        return self.assigned

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.errors:
            raise self.errors.pop()
        self.commits.append(offsets)


def at(*places: tuple[int, int]) -> list[Any]:
    return [At(partition, offset) for partition, offset in places]


@pytest.fixture(autouse=True)
def never_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "COMMIT_EVERY_SECONDS", NEVER_SECONDS)


async def test_several_batches_are_one_commit() -> None:
    group = Group({ONE, TWO})
    commits = GatheredCommits(group)
    commits.add(at((0, 4), (0, 5), (1, 7)))
    commits.add(at((0, 6)))
    await commits.stop()
    assert group.commits == [{ONE: 7, TWO: 8}]


async def test_the_commit_comes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "COMMIT_EVERY_SECONDS", 0)
    group = Group({ONE})
    commits = GatheredCommits(group)
    for offset in (4, 5):
        commits.add(at((0, offset)))
        async with asyncio.timeout(5):
            while not group.commits or group.commits[-1] != {ONE: offset + 1}:
                await asyncio.sleep(0)


async def test_a_partition_of_another_member_is_not_committed() -> None:
    group = Group({TWO})
    commits = GatheredCommits(group)
    commits.add(at((0, 4), (1, 7)))
    await commits.stop()
    assert group.commits == [{TWO: 8}]


@pytest.mark.parametrize("error", [KafkaError("away"), CommitFailedError(), OSError("cut")])
async def test_the_next_commit_covers_one_that_failed(error: Exception) -> None:
    group = Group({ONE, TWO}, [error])
    commits = GatheredCommits(group)
    commits.add(at((0, 4), (1, 7)))
    await commits.flush()
    commits.add(at((0, 9)))
    await commits.stop()
    assert group.commits == [{ONE: 10, TWO: 8}]


class Handler:
    """Counts records, and waits at the gate before it returns."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        self.seen += [received.offset for received in batch]
        await self.gate.wait()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.seen) < count:
                await asyncio.sleep(0.01)


@pytest.mark.kafka
async def test_a_stop_commits_what_was_handled(harness: TopicHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, commits = Handler(), list[object]()
    commit = AIOKafkaConsumer.commit

    async def counted(consumer: AIOKafkaConsumer, offsets: Any = None) -> None:
        commits.append(offsets)
        await commit(consumer, offsets)

    component = await harness.join(handler, GATHER_COMMITS)
    monkeypatch.setattr(AIOKafkaConsumer, "commit", counted)
    for number in range(3):
        await harness.put(alert(number))
        await handler.until(number + 1)
    assert commits == []
    await harness.leave(component)
    assert await harness.committed() == await harness.end()
    assert len(commits) == 1


@pytest.mark.kafka
async def test_a_member_that_joins_reads_nothing_again(harness: TopicHarness) -> None:
    first, second = Handler(), Handler()
    await harness.join(first, GATHER_COMMITS)
    await harness.put(alert(1), alert(2))
    await first.until(2)
    await harness.join(second, GATHER_COMMITS)  # the partition is revoked and assigned again, to either of them
    await harness.put(alert(3))
    async with asyncio.timeout(60):
        while len(first.seen) + len(second.seen) < 3:
            await asyncio.sleep(0.01)
    assert sorted(first.seen + second.seen) == sorted({*first.seen, *second.seen})


@pytest.mark.kafka
async def test_a_batch_in_progress_is_not_committed(harness: TopicHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "COMMIT_EVERY_SECONDS", 0.01)
    handler = Handler()
    await harness.join(handler, GATHER_COMMITS)
    await harness.put(alert(1))
    await handler.until(1)
    handler.gate.clear()
    await harness.put(alert(2))
    await handler.until(2)
    async with asyncio.timeout(60):
        while await harness.committed() < handler.seen[0] + 1:
            pass
    assert await harness.committed() == handler.seen[1]
    handler.gate.set()
    await harness.wait_until_consumed()
