"""Replay: what lies in the dead letter goes to its topic once more, as it was, when the cause is mended.

Progress lies in the dead letter itself: after each batch a *mark* names the records that were sent again, so no later
run sends them, whatever it filters by. A crash between a batch and its mark sends that batch twice: readers drop
repeats (decision 0002).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from spreader.contract.events import DEAD_LETTER_TOPIC, PARTITIONS
from spreader.kafka.client import RECORD_BYTES_MAX, Record, client_arguments, partitions_of
from spreader.kafka.envelope import read_headers
from spreader.settings import Settings
from spreader.text.redaction import redact

BATCH_MAX = 500
POLL_MS = 1_000
OURS = "dead_letter_"
MARK = "dead_letter_replayed"
REPLAYED_FROM = "replayed_from"

Place = tuple[int, int]
"""A record of the dead letter: its partition and its offset."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """None: whatever it is. `reason`: a part of it, in any case; `since`, `until`: when it was buried."""

    topic: str | None = None
    group: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, letter: "DeadLetter") -> bool:
        return (
            self.topic in (None, letter.topic)
            and self.group in (None, letter.group)
            and (self.reason or "").casefold() in letter.reason.casefold()
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A buried record, and where it comes from."""

    record: Record
    at: datetime
    topic: str
    group: str
    reason: str
    partition: int
    again: bool
    """It was sent again once before, and buried again."""

    @property
    def place(self) -> Place:
        return self.record.partition, self.record.offset

    @property
    def line(self) -> str:
        """For people: no full phone number, none of the record's own words."""
        key = "no key" if self.record.key is None else f"key {redact(self.record.key.decode(errors='replace'))}"
        topic = self.topic if self.topic in PARTITIONS else redact(self.topic)
        again = ", buried again after a replay" if self.again else ""
        partition, offset = self.place
        moment = self.at.isoformat(timespec="seconds")
        return f"{partition}/{offset} {moment} {topic} ({key}) by {self.group}: {redact(self.reason)}{again}"


@dataclass
class Summary:
    wanted: int = 0
    passed_over: int = 0
    """What the filters leave out."""
    done_before: int = 0
    without_a_topic: int = 0
    """Nobody knows where they belong."""


def letter_of(record: Record) -> DeadLetter:
    headers = read_headers(record.headers)
    partition = headers.get(f"{OURS}partition", "")
    return DeadLetter(
        record,
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
        headers.get(f"{OURS}topic", ""),
        headers.get(f"{OURS}group", ""),
        headers.get(f"{OURS}reason", ""),
        int(partition) if partition.isdecimal() else 0,
        REPLAYED_FROM in headers,
    )


def marked(record: Record) -> frozenset[Place] | None:
    """The places that a mark names; None: the record is no mark."""
    if all(name != MARK for name, _ in record.headers):
        return None
    return frozenset((partition, offset) for partition, offset in json.loads(record.value or b"[]"))


async def replay(settings: Settings, wanted: ReplayFilter, say: Say, send: bool = False) -> Summary:
    """Show what is wanted; with `send`, send it again and mark it. Reads as far as the log reaches at the start."""
    summary = Summary()
    done: set[Place] = set()
    async with _clients(settings) as (consumer, producer):
        places = await partitions_of(settings, DEAD_LETTER_TOPIC)
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        async for batch in _log(consumer, ends):
            for record in batch:
                done |= marked(record) or frozenset()
        async for batch in _log(consumer, ends):
            letters = _chosen([letter_of(each) for each in batch if marked(each) is None], wanted, done, summary)
            for letter in letters:
                say(letter.line)
            if send and letters:
                await asyncio.gather(*(_send(producer, letter) for letter in letters))
                await _mark(producer, letters)
    return summary


def _chosen(
    letters: Sequence[DeadLetter], wanted: ReplayFilter, done: set[Place], summary: Summary
) -> list[DeadLetter]:
    chosen: list[DeadLetter] = []
    for letter in letters:
        if not wanted.takes(letter):
            summary.passed_over += 1
        elif letter.place in done:
            summary.done_before += 1
        elif letter.topic not in PARTITIONS:
            summary.without_a_topic += 1
        else:
            chosen.append(letter)
    summary.wanted += len(chosen)
    return chosen


@asynccontextmanager
async def _clients(settings: Settings) -> AsyncGenerator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
    arguments = client_arguments(settings)
    # earliest: with the default, a reset to the end that is under way may come after the seek to the beginning
    consumer = AIOKafkaConsumer(**arguments, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(**arguments, acks="all", enable_idempotence=False, max_request_size=RECORD_BYTES_MAX)
    try:
        await consumer.start()
        await producer.start()
        yield consumer, producer
    finally:
        await consumer.stop()
        await producer.stop()


async def _log(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncGenerator[Sequence[Record]]:
    """The whole topic, in batches."""
    await consumer.seek_to_beginning(*ends)
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
        for place, records in polled.items():
            yield [record for record in records if record.offset < ends[place]]


async def _send(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    """Key, value and headers as they were; a record without a key goes to the partition that it came from."""
    record, (partition, offset) = letter.record, letter.place
    headers = [(name, value) for name, value in record.headers if not name.startswith(OURS) and name != REPLAYED_FROM]
    headers.append((REPLAYED_FROM, f"{partition}/{offset}".encode()))
    to = letter.partition if record.key is None else None
    await producer.send_and_wait(letter.topic, record.value, key=record.key, partition=to, headers=headers)


async def _mark(producer: AIOKafkaProducer, letters: Sequence[DeadLetter]) -> None:
    places = json.dumps([letter.place for letter in letters]).encode()
    await producer.send_and_wait(DEAD_LETTER_TOPIC, places, headers=[(MARK, str(len(letters)).encode())])
