"""Bus: the port through which a service publishes its events, and what Kafka refuses of them."""

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
    """Kafka did not acknowledge an event in time. Publish it again: readers drop repeats."""

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
        """Returns when all events are on all replicas; raises PublishFailed when that is not certain, and
        RecordsRefused when Kafka will never take some of them."""
        ...


class EnvelopeBus(Protocol):
    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        """Like `Bus.publish`, for records."""
        ...


class RecordBus(Bus, EnvelopeBus, Protocol):
    """Publishes events and records."""


class InvalidRecordError(BrokerResponseError):
    """aiokafka does not know this error: a broker refuses a record, for example one without a key in a compacted
    topic."""

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
    """Whether Kafka, or its client, will never take this record. The client asserts that the partition exists."""
    return isinstance(error, REFUSALS) or (envelope.partition is not None and isinstance(error, AssertionError))


def refused_and_later(envelopes: Sequence[Envelope], errors: Sequence[Exception | None]) -> Sequence[int]:
    """The refused records, and the later records with their keys: a refused batch may have good records, which must not
    come after a later one of their key."""
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
