"""Absence: what Kafka does not have is not deleted; only a record ends held deliveries or moves them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from pacer.core.release_pass import LOOK_AGAIN
from pacer.testing import START, Pacer, assigned, members, package
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Package
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReturned,
    LaneState,
    OpenDeliveriesAssigned,
    ProfileState,
)

pytestmark = pytest.mark.postgres


def blocked(profile_id: str) -> ProfileState:
    return ProfileState(profile_id=profile_id, package_id="one", open=LaneState(state="blocked"), at=START)


def of_package(package_id: str, package: Package) -> Package:
    return package.model_copy(update={"package_id": package_id})


def assigned_in(package_id: str, count: int, message_id: str) -> OpenDeliveriesAssigned:
    return assigned(count, message_id).model_copy(update={"package_id": package_id, "assigned_at": START})


async def test_an_unknown_package_cancels_nothing_and_releases_nothing_until_it_is_read(pacer: Pacer) -> None:
    """Fails if absence counts as deletion, or if the release loop turns without end over such a profile."""
    await pacer.hold(assigned(2))
    pacer.config.forget("one")
    assert await pacer.release() == []
    assert await pacer.states() == {"held": 2}
    async with pacer.engine.connect() as connection:
        look_at = (await connection.execute(text("SELECT look_at FROM pacer.profile"))).scalar_one()
    assert look_at == START + LOOK_AGAIN
    explanation = members(await pacer.explainer.delivery(assigned(2).deliveries[0].delivery_id))
    assert explanation["bound"] == Bound.CONFIGURATION_STALE
    pacer.configure(package())
    assert len(await pacer.release()) == 1


async def test_a_package_that_is_known_only_from_earlier_keeps_its_queues(pacer: Pacer) -> None:
    """The router may not know it either, and would reject what it gets back."""
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(2, profiles=2))
    pacer.config.unconfirmed.add("one")
    pacer.config.set_state(blocked("p0"))
    await pacer.release()
    assert pacer.bus.of(DeliveryReturned) == []
    pacer.config.unconfirmed.clear()
    pacer.rescheduler.on_state_changed("one", "p0", can_send=False)
    await pacer.release()
    assert [each.index for each in pacer.bus.of(DeliveryReturned)] == [0]


async def test_a_profile_made_again_in_another_package_releases_nothing_of_its_old_queue(pacer: Pacer) -> None:
    """The issue's example, where the new package's first deliveries come before a pass has seen the removal."""
    await pacer.hold(assigned_in("one", 3, "msg_old"))
    pacer.config.configure(package().model_copy(update={"version": 2, "profiles": ()}))
    pacer.config.configure(of_package("two", package()))
    new = assigned_in("two", 1, "msg_new").model_copy(update={"assigned_at": START + timedelta(seconds=1)})
    await pacer.hold(new)
    released = await pacer.release()
    assert [(release.package_id, release.message_id) for release in released] == [("two", "msg_new")]
    returned = pacer.bus.of(DeliveryReturned)
    assert [(each.package_id, each.message_id) for each in returned] == [("one", "msg_old")] * 3


async def test_the_old_queue_ends_if_its_package_was_deleted_and_the_new_one_stays(pacer: Pacer) -> None:
    await pacer.hold(assigned_in("one", 2, "msg_old"))
    pacer.config.remove("one")
    pacer.config.configure(of_package("two", package()))
    await pacer.hold(assigned_in("two", 1, "msg_new"))
    released = await pacer.release()
    assert [release.message_id for release in released] == ["msg_new"]
    ended = pacer.bus.of(DeliveryOutcome)
    assert [(each.message_id, each.status) for each in ended if each.status == "cancelled"] == [
        ("msg_old", "cancelled")
    ] * 2


async def test_a_late_assignment_of_the_old_package_takes_nothing_from_the_new_one(pacer: Pacer) -> None:
    pacer.config.configure(of_package("two", package()))
    await pacer.hold(assigned_in("two", 1, "msg_new"))
    pacer.config.remove("one")
    await pacer.hold(assigned_in("one", 1, "msg_late"))
    released = await pacer.release()
    assert [release.message_id for release in released] == ["msg_new"]
    assert {each.message_id for each in pacer.bus.of(DeliveryOutcome) if each.status == "cancelled"} == {"msg_late"}


async def test_nothing_is_released_while_the_configuration_may_be_out_of_date(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    pacer.config.doubts.append("Kafka has not answered for 31 s")
    assert await pacer.release_loop.run_pass() > 0
    assert await pacer.states() == {"held": 1}
    explanation = members(await pacer.explainer.delivery(assigned(1).deliveries[0].delivery_id))
    assert (explanation["bound"], explanation["next_release"]) == (Bound.CONFIGURATION_STALE, None)
    assert "Kafka does not answer" in explanation["why"]
    pacer.config.doubts.clear()
    assert len(await pacer.release()) == 1
