"""Subscription: what a service reads from Kafka, with the settings that keep FastStream from losing records."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka import TopicPartition as StreamPartition
from faststream.kafka.message import KafkaAckableMessage, KafkaMessage
from faststream.message import StreamMessage

from spreader.contract.events import PARTITIONS
from spreader.kafka.batching import CommitBeforeRevocation, LowLatencyConsumer, fetch_wait_ms
from spreader.settings import Settings

Record = ConsumerRecord[bytes | None, bytes | None]

BATCH_RECORDS_MAX = 500
SESSION_TIMEOUT_MS = 6_000  # after this time another member gets the partitions of a killed member (docs/delivery.md)
HEARTBEAT_MS = 1_000
REBALANCE_TIMEOUT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Gathering:
    """Which steps a reader does for many records at once, to save processor time."""

    batch_ms: int
    """How many milliseconds after a batch the records of the next one are fetched."""
    commits: bool
    """Whether offsets are committed once a second (`GatheredCommits`) instead of after each batch."""


NO_GATHERING = Gathering(0, commits=False)
GATHER_COMMITS = Gathering(0, commits=True)
GATHER_BRIEFLY = Gathering(100, commits=True)
GATHER = Gathering(500, commits=True)
"""For views and counts, where a delay of half a second does not matter."""

RecordsHandler = Callable[[Sequence[Record]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a service reads, and how."""

    group: str
    topics: tuple[str, ...]
    records_max: int = BATCH_RECORDS_MAX
    gathering: Gathering = NO_GATHERING


class _GatheredMessage(KafkaAckableMessage):
    """A batch whose offsets wait for the next common commit."""

    async def ack(self) -> None:
        if self.committed is None:
            cast("LowLatencyConsumer", self.consumer).gathered.add(cast("tuple[Record, ...]", self.raw_message))
        await StreamMessage.ack(self)


Reader = Callable[[], AIOKafkaConsumer | None]
"""Returns the consumer that reads for a handler. None: the broker is not started."""


def subscribe(broker: KafkaBroker, settings: Settings, subscription: Subscription, handle: RecordsHandler) -> Reader:
    """Call `handle` with batches of records. When `handle` returns, the batch is committed. When `handle` raises an
    error, the batch is read again.

    Each subscriber sets the acknowledgement policy itself, because FastStream 0.7 does not apply the broker's policy to
    all subscribers.
    """
    topics, partitions = subscription.topics, ()
    member = f"{settings.instance}-{'-'.join(topics)}" if settings.instance else None
    if settings.kafka_alone:  # read all partitions without joining the group, but commit offsets under the group's name
        partitions = [StreamPartition(topic, number) for topic in topics for number in range(PARTITIONS[topic])]
        topics, member = (), None

    async def parse(records: tuple[Record, ...]) -> KafkaMessage:
        # FastStream's parser decodes headers and bodies as text. If one is not text, the whole batch is lost.
        message = _GatheredMessage if subscription.gathering.commits else KafkaAckableMessage
        return message(records, b"", consumer=subscriber.consumer)

    async def raw(message: KafkaMessage) -> Sequence[Record]:
        return cast("tuple[Record, ...]", message.raw_message)

    async def on_batch(records: Sequence[Record]) -> None:
        await handle(records)

    async def flush_commits() -> None:
        if isinstance(subscriber.consumer, LowLatencyConsumer):
            await subscriber.consumer.gathered.flush()

    subscriber = broker.subscriber(
        *topics,
        partitions=partitions,
        batch=True,
        group_id=subscription.group,
        group_instance_id=member,
        max_records=subscription.records_max,
        batch_timeout_ms=subscription.gathering.batch_ms,  # see LowLatencyConsumer
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        fetch_max_wait_ms=fetch_wait_ms(settings),
        listener=CommitBeforeRevocation(flush_commits),
        no_reply=True,
        parser=parse,
        decoder=raw,
    )
    subscriber(on_batch)
    return lambda: subscriber.consumer


def check_subscribers_lose_nothing(broker: KafkaBroker) -> None:
    """Raise AssertionError for a subscriber that would commit before its work is done, or skip older records."""
    for subscriber in broker.subscribers:
        arguments: dict[str, Any] = getattr(subscriber, "_connection_args")  # noqa: B009 - FastStream shows it nowhere else
        loses = {
            "ack_policy is not NACK_ON_ERROR": subscriber.ack_policy is not AckPolicy.NACK_ON_ERROR,
            "enable_auto_commit is on": bool(arguments.get("enable_auto_commit")),
            "auto_offset_reset is not earliest": arguments.get("auto_offset_reset") != "earliest",
        }
        if any(loses.values()):
            wrong = ", ".join(text for text, is_so in loses.items() if is_so)
            raise AssertionError(f"a subscriber would lose records: {wrong}; use spreader.kafka.subscription.subscribe")
