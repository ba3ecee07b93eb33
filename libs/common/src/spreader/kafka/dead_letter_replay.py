"""Dead letter replay: publishes dead letters to their topics again, unchanged, once the cause is fixed.

Progress is stored in the dead letter topic itself. After each batch, the replay writes a *mark*. This record
lists what the replay has published again, so that no later run publishes it once more. If the replay crashes between a
batch and its mark, the next run publishes the batch again. That does no harm, because readers drop repeats (decision
0002).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from spreader.contract.events import DEAD_LETTER_TOPIC, PARTITIONS
from spreader.kafka.client import RECORD_BYTES_MAX, client_arguments, partitions_of
from spreader.kafka.dead_letter import ENDED, HEADER_PREFIX, WITHOUT_BODY
from spreader.kafka.envelope import read_headers
from spreader.kafka.partitions import partition_of
from spreader.kafka.subscription import Record
from spreader.kafka.topic_state import read_records
from spreader.settings import Settings
from spreader.text.redaction import redact

MARK = "dead_letter_replayed"
REPLAYED_FROM = "replayed_from"

Position = tuple[int, int]
"""Partition and offset of a record in the dead letter topic."""


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """Which dead letters to take. A field that is None selects all.

    `reason` is a part of the letter's reason. Upper and lower case do not matter. `since` and `until` limit the time at
    which the record became a dead letter (`until` itself is excluded).
    """

    topic: str | None = None
    group: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, letter: "DeadLetter") -> bool:
        return (
            self.topic in (None, letter.topic)
            and self.group in (None, letter.group)
            and (self.reason or "").casefold() in letter.reason.casefold()
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of the dead letter topic, and the topic, group and partition that it came from."""

    record: Record
    at: datetime
    topic: str
    group: str
    reason: str
    partition: int
    failed_again: bool
    """Whether it was replayed before and failed again."""
    without_body: bool = False
    """Whether the record was too large for the dead letter topic too. Then it cannot be replayed."""
    has_ended: bool = False
    """Whether its deliveries have ended. Then it is not replayed."""

    @property
    def position(self) -> Position:
        return self.record.partition, self.record.offset

    @property
    def line(self) -> str:
        """One line for an operator, without full phone numbers and without the record's content."""
        key = "no key" if self.record.key is None else f"key {redact(self.record.key.decode(errors='replace'))}"
        topic = self.topic if self.topic in PARTITIONS else redact(self.topic)
        suffix = ", failed again after a replay" if self.failed_again else ""
        partition, offset = self.position
        at = self.at.isoformat(timespec="seconds")
        return f"{partition}/{offset} {at} {topic} ({key}) by {self.group}: {redact(self.reason)}{suffix}"


@dataclass
class ReplaySummary:
    selected: int = 0
    filtered_out: int = 0
    already_replayed: int = 0
    without_body: int = 0
    ended: int = 0
    unknown_topic: int = 0
    """The number of dead letters that name no topic of ours, so they cannot be replayed."""


def read_letter(record: Record) -> DeadLetter:
    headers = read_headers(record.headers)
    partition = headers.get(f"{HEADER_PREFIX}partition", "")
    return DeadLetter(
        record,
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
        headers.get(f"{HEADER_PREFIX}topic", ""),
        headers.get(f"{HEADER_PREFIX}group", ""),
        headers.get(f"{HEADER_PREFIX}reason", ""),
        int(partition) if partition.isdecimal() else 0,
        REPLAYED_FROM in headers,
        WITHOUT_BODY in headers,
        ENDED in headers,
    )


def marked_positions(record: Record) -> frozenset[Position] | None:
    """The positions that a mark names. None: the record is not a mark."""
    if all(name != MARK for name, _ in record.headers):
        return None
    return frozenset((partition, offset) for partition, offset in json.loads(record.value or b"[]"))


async def replay(
    settings: Settings, wanted: ReplayFilter, show: Callable[[str], None], send: bool = False
) -> ReplaySummary:
    """Show the wanted dead letters. With `send`, also publish and mark them. Stops at the topic's current end."""
    summary = ReplaySummary()
    replayed: set[Position] = set()
    async with _clients(settings) as (consumer, producer):
        partitions = await partitions_of(settings, DEAD_LETTER_TOPIC)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        async for batch in read_records(consumer, ends):
            for record in batch:
                replayed |= marked_positions(record) or frozenset()
        async for batch in read_records(consumer, ends):
            letters = [read_letter(record) for record in batch if marked_positions(record) is None]
            selected = _select(letters, wanted, replayed, summary)
            for letter in selected:
                show(letter.line)
            if send and selected:
                await asyncio.gather(*(_send(producer, letter) for letter in selected))
                await _mark(producer, selected)
    return summary


def _select(
    letters: Sequence[DeadLetter], wanted: ReplayFilter, replayed: set[Position], summary: ReplaySummary
) -> list[DeadLetter]:
    selected: list[DeadLetter] = []
    for letter in letters:
        if not wanted.matches(letter):
            summary.filtered_out += 1
        elif letter.position in replayed:
            summary.already_replayed += 1
        elif letter.without_body:
            summary.without_body += 1
        elif letter.has_ended:
            summary.ended += 1
        elif letter.topic not in PARTITIONS:
            summary.unknown_topic += 1
        else:
            selected.append(letter)
    summary.selected += len(selected)
    return selected


@asynccontextmanager
async def _clients(settings: Settings) -> AsyncGenerator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
    arguments = client_arguments(settings)
    # With aiokafka's default ("latest"), the consumer might go to the end after the seek to the beginning.
    consumer = AIOKafkaConsumer(**arguments, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(**arguments, acks="all", enable_idempotence=False, max_request_size=RECORD_BYTES_MAX)
    try:
        await consumer.start()
        await producer.start()
        yield consumer, producer
    finally:
        await consumer.stop()
        await producer.stop()


async def _send(producer: AIOKafkaProducer, letter: DeadLetter) -> None:
    """Publish the old key, value and headers. A record without a key goes to the partition that it came from."""
    record, (partition, offset) = letter.record, letter.position
    headers = [
        (name, value) for name, value in record.headers if not name.startswith(HEADER_PREFIX) and name != REPLAYED_FROM
    ]
    headers.append((REPLAYED_FROM, f"{partition}/{offset}".encode()))
    target = letter.partition if record.key is None else partition_of(letter.topic, record.key)
    await producer.send_and_wait(letter.topic, record.value, key=record.key, partition=target, headers=headers)


async def _mark(producer: AIOKafkaProducer, letters: Sequence[DeadLetter]) -> None:
    positions = json.dumps([letter.position for letter in letters]).encode()
    await producer.send_and_wait(DEAD_LETTER_TOPIC, positions, headers=[(MARK, str(len(letters)).encode())])
