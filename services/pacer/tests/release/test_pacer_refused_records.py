"""Refused records of the pacer: a delivery whose event cannot be published ends as failed, and holds up no other."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from pacer.metrics import UNPUBLISHABLE
from pacer.release.outbox_relay import IDLE_SECONDS, QueueOutboxRelay
from pacer.testing import Pacer, assigned, package
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import DeliveryOutcome, DeliveryReleased
from spreader.kafka.bus import Bus
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
