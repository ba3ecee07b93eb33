"""Refused records of the pacer: a delivery whose event cannot be published ends as failed, and holds up no other."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from aiokafka import ConsumerRecord
from sqlalchemy import text

from pacer.core.outbound_events import refused_events
from pacer.metrics import UNPUBLISHABLE
from pacer.release.outbox_relay import IDLE_SECONDS, QueueOutboxRelay
from pacer.testing import START, Pacer, assigned, package
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import DEAD_LETTER_TOPIC, DeliveryOutcome, DeliveryReleased, OpenDeliveriesAssigned
from spreader.kafka.bus import Bus
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import GuardedConsumer, Received
from spreader.kafka.subscription import Record
from spreader.testing import kafka_bus, record_counts

pytestmark = pytest.mark.postgres

MANY = ProfileLimits(per_hour=1_000, per_3_hours=1_000, per_day=1_000)
TOO_LARGE = """UPDATE pacer.delivery SET tried = ARRAY(SELECT repeat('p', 50) || n FROM generate_series(1, 25000) AS n)
WHERE message_id = 'msg_1'"""
UNREADABLE = "UPDATE pacer.message SET content = '{}' WHERE message_id = 'msg_1'"
UNFIT = "UPDATE pacer.delivery SET recipient = 'nobody' WHERE message_id = 'msg_1'"


async def release_two(pacer: Pacer) -> None:
    """Release `msg_1` and `msg_2`, whose package may have no more at the sender. `msg_3` waits."""
    pacer.configure(package(profiles=2, limits=MANY, concurrent=2))
    await pacer.hold(assigned(1, "msg_1", profile="p0"), assigned(1, "msg_2", profile="p1"))
    await pacer.hold(assigned(1, "msg_3", profile="p0", first=3))
    while await pacer.release_loop.run_pass() == 0:
        pass


async def change(pacer: Pacer, statement: str) -> None:
    async with pacer.engine.begin() as connection:
        await connection.execute(text(statement))


async def relay_all(pacer: Pacer, bus: Bus) -> None:
    relay = QueueOutboxRelay(pacer.engine, bus, pacer.bus, pacer.clock)
    assert await relay.relay() == 0
    assert await relay.relay() == IDLE_SECONDS  # nothing is left to publish again


async def fail_and_continue(pacer: Pacer) -> DeliveryOutcome:
    """The outcome in place of the release of `msg_1`; it makes room for the release of `msg_3`."""
    (failed,) = pacer.bus.of(DeliveryOutcome)
    assert (failed.message_id, failed.status, failed.profile_id, failed.release) == ("msg_1", "failed", "p0", 1)
    pacer.now += timedelta(hours=1)
    assert await pacer.release() == []
    await pacer.settle(failed)
    assert [release.message_id for release in await pacer.release()] == ["msg_3"]
    return failed


@pytest.mark.kafka
async def test_a_release_that_kafka_refuses_fails_and_frees_its_place(pacer: Pacer, kafka_servers: str) -> None:
    """Before, it was published again and again, and no later release of any package left the pacer."""
    topics = (DeliveryReleased.topic, DeliveryOutcome.topic)
    await release_two(pacer)
    await change(pacer, TOO_LARGE)
    before = await record_counts(kafka_servers, *topics)
    async with kafka_bus(kafka_servers) as bus:
        await relay_all(pacer, bus)
    written = await record_counts(kafka_servers, *topics) - before
    assert set(written) == {DeliveryReleased.topic}
    failed = await fail_and_continue(pacer)
    assert (failed.reason or "").startswith("Kafka: MessageSizeTooLargeError")


async def test_a_release_whose_event_cannot_be_built_fails_and_frees_its_place(pacer: Pacer) -> None:
    await release_two(pacer)
    await change(pacer, UNREADABLE)
    await relay_all(pacer, pacer.bus)
    assert [release.message_id for release in pacer.bus.of(DeliveryReleased)] == ["msg_2"]
    await fail_and_continue(pacer)


async def test_a_row_of_which_no_outcome_can_be_built_either_holds_up_no_other(pacer: Pacer) -> None:
    await release_two(pacer)
    await change(pacer, UNFIT)
    counted = UNPUBLISHABLE._value.get()  # pyright: ignore[reportPrivateUsage]
    await relay_all(pacer, pacer.bus)
    assert [event.message_id for event in pacer.bus.of(DeliveryReleased)] == ["msg_2"]
    assert not pacer.bus.of(DeliveryOutcome)
    assert UNPUBLISHABLE._value.get() == counted + 1  # pyright: ignore[reportPrivateUsage]


@pytest.mark.kafka
async def test_an_assignment_that_postgres_refuses_is_rejected_and_holds_up_no_other(
    pacer: Pacer, kafka_servers: str
) -> None:
    """Red before: its deliveries had no end, only a dead letter."""
    good, bad, again = (
        assigned(1, "msg_1"),
        with_index(assigned(2, "msg_2"), 2**40),
        with_index(assigned(1, "msg_3"), 7),
    )
    again = again.model_copy(update={"deliveries": (again.deliveries[0].model_copy(update={"tried": ("p1",)}),)})
    assert [(each.status, each.profile_id) for each in refused_events(bad, "no", START)] == [("rejected", None)] * 2
    assert [(each.status, each.profile_id) for each in refused_events(again, "no", START)] == [("failed", "p1")]
    topics = (DeliveryOutcome.topic, DEAD_LETTER_TOPIC)
    before = await record_counts(kafka_servers, *topics)

    async def hold(batch: Sequence[Received[OpenDeliveriesAssigned]]) -> None:
        await pacer.hold(*(record.event for record in batch))

    def ends(event: OpenDeliveriesAssigned, reason: str) -> Sequence[DeliveryOutcome]:
        return refused_events(event, reason, START)

    async with kafka_bus(kafka_servers) as bus:
        consumer = GuardedConsumer("pacer", hold, (OpenDeliveriesAssigned,), bus, ends=ends)
        await consumer.on_records([record(bad, 0), record(good, 1)])
    assert await pacer.states() == {"held": 1}
    assert await record_counts(kafka_servers, *topics) - before == {DeliveryOutcome.topic: 2, DEAD_LETTER_TOPIC: 1}


def with_index(event: OpenDeliveriesAssigned, index: int) -> OpenDeliveriesAssigned:
    deliveries = tuple(delivery.model_copy(update={"index": index}) for delivery in event.deliveries)
    return event.model_copy(update={"deliveries": deliveries})


def record(event: OpenDeliveriesAssigned, offset: int) -> Record:
    envelope = encode(event, "router", START)
    headers = [(name, value.encode()) for name, value in envelope.headers.items()]
    size = len(envelope.body or b"")
    return ConsumerRecord(envelope.topic, 0, offset, 0, 0, envelope.key, envelope.body, None, 0, size, headers)
