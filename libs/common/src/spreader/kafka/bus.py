"""Bus: the port through which a service publishes its events.

Kafka refuses some records for good. This module recognises and reports them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiokafka.errors import (
    BrokerResponseError,
    CorruptRecordException,
    InvalidTimestampError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    kafka_errors,
)

from spreader.contract.events import PARTITIONS, Event
from spreader.kafka.envelope import Envelope
from spreader.telemetry.metrics import REFUSED, from_zero

log = structlog.get_logger()


class PublishFailed(Exception):
    """Kafka did not acknowledge an event in time. Publishing it again is safe, because readers drop repeats."""

    @classmethod
    def because(cls, error: BaseException) -> "PublishFailed":
        return cls(f"Kafka did not acknowledge an event: {type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that Kafka will never take, for example because it is too large."""

    index: int
    """Its position among the events of the call."""
    envelope: Envelope
    reason: str


class RecordsRefused(Exception):
    """Kafka refused these records for good. It has acknowledged all other records of the call."""

    def __init__(self, refused: Sequence[RefusedRecord]) -> None:
        super().__init__("; ".join(f"{record.envelope.topic}: {record.reason}" for record in refused))
        self.refused = refused


class Bus(Protocol):
    async def publish(self, *events: Event) -> None:
        """Returns when all events are on all replicas. Raises PublishFailed when this is not certain. Raises
        RecordsRefused when Kafka will never take some of the events."""
        ...


class EnvelopeBus(Protocol):
    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        """Like `Bus.publish`, but for records that are ready to be written."""
        ...


class RecordBus(Bus, EnvelopeBus, Protocol):
    """Publishes events and records."""


class InvalidRecordError(BrokerResponseError):
    """The broker refuses a record, for example one without a key in a compacted topic. aiokafka has no class for this
    error."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker failed to validate the record."


kafka_errors[InvalidRecordError.errno] = InvalidRecordError
REFUSALS: tuple[type[Exception], ...] = (
    *(MessageSizeTooLargeError, RecordListTooLargeError, CorruptRecordException, InvalidRecordError),
    *(InvalidTimestampError, UnicodeError),  # UnicodeError: a header that has no form in UTF-8
)
"""What publishing raises for a record that Kafka will never take."""
from_zero(REFUSED, PARTITIONS)


def is_refusal(error: Exception, envelope: Envelope) -> bool:
    """Whether Kafka, or its client, will never take this record. For a partition that does not exist, the client raises
    AssertionError."""
    return isinstance(error, REFUSALS) or (envelope.partition is not None and isinstance(error, AssertionError))


def refused_and_later(envelopes: Sequence[Envelope], errors: Sequence[Exception | None]) -> Sequence[int]:
    """The indexes of the records to publish again: each refused record, and all later records of the same key. Kafka
    refuses a whole batch, so a refused record may be good. A good record must not come after a later one of its key."""
    refused_keys: set[tuple[str, bytes | None]] = set()
    indexes: list[int] = []
    for index, (envelope, error) in enumerate(zip(envelopes, errors, strict=True)):
        key = envelope.topic, envelope.key
        if error is not None and envelope.key is not None:
            refused_keys.add(key)
        if error is not None or key in refused_keys:
            indexes.append(index)
    return indexes


def report_refused(refused: Sequence[RefusedRecord]) -> None:
    for record in refused:
        envelope = record.envelope
        REFUSED.labels(envelope.topic).inc()
        log.error(
            "Kafka refuses a record for good; it is set aside, and not published again",
            topic=envelope.topic,
            type=envelope.headers.get("ce_type"),
            bytes=len(envelope.body or b""),
            reason=record.reason,
        )
