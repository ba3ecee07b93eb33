"""Deferral: a delivery is held for a day on the same profile without blocking others, and tried once more."""

from datetime import timedelta

import pytest

from pacer.release.maintenance import QueueMaintenance
from pacer.testing import START, Pacer, assigned, package
from spreader.contract.events import DeliveryOutcome, DeliveryReturned, OpenOptions

pytestmark = pytest.mark.postgres

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


async def test_a_deferred_delivery_waits_on_the_same_profile_without_blocking_others(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(3, profile="p0"))
    (first,) = await pacer.release()
    await pacer.report("deferred", first, not_before=START + DAY)
    gone: list[tuple[str, str]] = []
    for _ in range(24):
        pacer.now += timedelta(hours=1) - MINUTE / 24
        released = await pacer.release()
        await pacer.report("sent", *released)
        gone += [(each.recipient, each.profile_id) for each in released]
    assert gone == [("201100000001", "p0"), ("201100000002", "p0")]
    pacer.now = START + DAY + MINUTE
    (again,) = await pacer.release()
    assert (again.delivery_id, again.profile_id, again.attempt) == (first.delivery_id, "p0", 1)
    assert again.release > first.release
    assert pacer.bus.of(DeliveryReturned) == []


async def test_a_deferral_stays_in_force_on_another_profile(pacer: Pacer) -> None:
    """The recipient takes no more messages today, from any profile."""
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(1, profile="p0"))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now += timedelta(hours=2)
    assert await pacer.hold(assigned(1, profile="p1", attempt=2)) == 1
    assert await pacer.release() == []
    pacer.now = START + DAY + MINUTE
    (again,) = await pacer.release()
    assert (again.profile_id, again.attempt) == ("p1", 2)


async def test_no_change_of_the_package_brings_a_deferral_forward(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now += timedelta(hours=2)
    pacer.rescheduler.on_state_changed("one")
    await pacer.release_loop.run_pass()
    assert await pacer.states() == {"held": 1}


async def test_a_second_deferral_is_the_last(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now = START + DAY + MINUTE
    await pacer.report("deferred", *await pacer.release(), not_before=pacer.now + DAY)
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["expired"]


async def test_a_message_that_expires_sooner_is_not_tried_again(pacer: Pacer) -> None:
    await pacer.hold(assigned(1, options=OpenOptions(expires_at=START + DAY / 2)))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now = START + DAY / 2
    await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).expire()
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["expired"]
