"""Decoding steps: a consumer decodes a batch of large records in steps, so that other work of its process runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from topic_harness import NOON, TOPIC, alert

from spreader.contract.events import Alert
from spreader.kafka import guarded_consumer
from spreader.kafka.client import KafkaBus
from spreader.kafka.envelope import decode, encode
from spreader.kafka.guarded_consumer import DECODED_AT_ONCE_BYTES, GuardedConsumer, Received
from spreader.kafka.subscription import Record


@dataclass
class Written:
    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    topic: str = TOPIC
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None


def written(number: int, evidence: str) -> Record:
    envelope = encode(alert(number).model_copy(update={"evidence": evidence}), "test", NOON)
    headers = [(name, value.encode()) for name, value in envelope.headers.items()]
    return cast(Record, Written(number, envelope.body or b"", headers))


@dataclass
class Handler:
    handled: list[str] = field(default_factory=list[str])

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        self.handled += [received.event.alert_id for received in batch]


async def test_a_batch_of_large_records_is_decoded_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red before: a batch of 500 records with 500 recipients each stopped the event loop until all were decoded."""
    sizes, loop, is_done = [0], asyncio.get_running_loop(), False

    def next_step() -> None:
        sizes.append(0)
        if not is_done:
            loop.call_soon(next_step)

    def counted(topic: str, headers: Any, body: bytes | None) -> Any:
        sizes[-1] += len(body or b"")
        return decode(topic, headers, body)

    monkeypatch.setattr(guarded_consumer, "decode", counted)
    handler = Handler()
    consumer = GuardedConsumer("test", handler, (Alert,), cast(KafkaBus, None))
    large, small = "x" * (DECODED_AT_ONCE_BYTES // 3), "x"
    records = [written(number, large if number % 2 else small) for number in range(20)]
    next_step()
    await consumer.on_records(records)
    is_done = True
    assert handler.handled == [f"alr_{number}" for number in range(20)]
    assert sum(sizes) == sum(len(record.value or b"") for record in records)
    assert max(sizes) <= DECODED_AT_ONCE_BYTES
