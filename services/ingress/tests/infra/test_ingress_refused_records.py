"""Refused records of the ingress: what Kafka refuses for good stays in the outbox and blocks no other."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.infra import outbox
from ingress.infra.outbox import POLL_SECONDS, EnvelopeRelay
from ingress.metrics import OUTBOX_OLDEST, OUTBOX_WAITING
from ingress.status.reconciliation import Reconciliation
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import Alert, PackageConfigured
from spreader.kafka.envelope import Envelope, encode
from spreader.telemetry.metrics import REFUSED
from spreader.testing import kafka_bus, record_counts

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
REFUSED_TOPIC = Alert.topic


def setting(package_id: str) -> Envelope:
    package = Package(package_id=package_id, version=1, name="Orders")
    return encode(PackageConfigured(package=package, at=NOON), "ingress", NOON)


@pytest.mark.kafka
async def test_a_record_that_kafka_refuses_holds_up_no_later_one(engine: AsyncEngine, kafka_servers: str) -> None:
    """Before, the batch with it was published again and again, and no later change of any package took effect."""
    too_large = Envelope(REFUSED_TOPIC, b"large", b"x" * 1_500_000, {})
    async with engine.begin() as connection:
        await outbox.put(connection, [setting("a"), too_large, setting("b")])
    before = await record_counts(kafka_servers, PackageConfigured.topic, REFUSED_TOPIC)
    counted = REFUSED.labels(REFUSED_TOPIC)._value.get()  # pyright: ignore[reportPrivateUsage]
    async with kafka_bus(kafka_servers) as bus:
        relay = EnvelopeRelay(engine, bus)
        await relay.run_once()
        assert await relay.run_once() == POLL_SECONDS
    written = await record_counts(kafka_servers, PackageConfigured.topic, REFUSED_TOPIC) - before
    assert written == {PackageConfigured.topic: 2}
    assert REFUSED.labels(REFUSED_TOPIC)._value.get() == counted + 1  # pyright: ignore[reportPrivateUsage]
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT key, refusal FROM ingress.outbox"))).all()
    assert [(row.key, row.refusal.split(":")[0]) for row in rows] == [("large", "MessageSizeTooLargeError")]


@dataclass
class Batches:
    """A bus that notes the sizes of the records of each batch."""

    sizes: list[list[int]] = field(default_factory=list[list[int]])

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        self.sizes.append([len(envelope.body or b"") for envelope in envelopes])


async def test_a_batch_is_limited_in_bytes_and_a_larger_record_goes_alone(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH_BYTES_MAX", 1_000)
    bus, sizes = Batches(), [400, 400, 400, 5_000, 100]
    rows = [Envelope(PackageConfigured.topic, f"{n}".encode(), b"x" * size, {}) for n, size in enumerate(sizes)]
    async with engine.begin() as connection:
        await outbox.put(connection, rows)
    relay = EnvelopeRelay(engine, bus)
    while await relay.run_once() != POLL_SECONDS:
        pass
    assert bus.sizes == [[400, 400], [400], [5_000], [100]]


async def test_what_is_set_aside_does_not_count_as_waiting(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await outbox.put(connection, [setting("a")])
        await connection.execute(text("UPDATE ingress.outbox SET refusal = 'too large'"))
    await Reconciliation(engine, Clock()).measure_outbox()
    assert (OUTBOX_WAITING._value.get(), OUTBOX_OLDEST._value.get()) == (0, 0)  # pyright: ignore[reportPrivateUsage]
