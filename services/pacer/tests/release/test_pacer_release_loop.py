"""Release loop, on a real Postgres: holding, releasing, settling, cancelling and handing back."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from pacer.release.maintenance import EXPIRE_EVERY_SECONDS, QueueMaintenance
from pacer.sql.release import HEADS, RecipientLimit
from pacer.testing import START, Pacer, assigned, assigned_in_parts, members, package
from pacer.views.pace_publisher import PacePublisher
from pacer.views.queue_lengths import QueueLengths
from spreader.contract.configuration import PackageLimits, ProfileLimits
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    LaneState,
    OpenOptions,
    ProfilePace,
    ProfileState,
)
from spreader.runtime.rows import arrays
from spreader.testing import MemoryBus

pytestmark = pytest.mark.postgres


async def test_a_delivery_is_held_once_however_often_it_is_assigned(pacer: Pacer) -> None:
    assert await pacer.hold(assigned(3), assigned(3)) == 3
    assert await pacer.hold(assigned(3)) == 0
    assert await pacer.states() == {"held": 3}


async def test_the_published_queue_length_names_the_newest_assignment_in_it(pacer: Pacer) -> None:
    for number, at in enumerate((START, START + timedelta(seconds=2), START + timedelta(seconds=1), None)):
        await pacer.hold(assigned(3, f"msg_{number}").model_copy(update={"assigned_at": at}))
    paces = PacePublisher(pacer.bus, QueueLengths(pacer.engine))
    await replace(pacer.release_loop, on_pass=paces.on_pass).run_pass()
    await paces.publish()
    (pace,) = (event for event in pacer.bus.published if isinstance(event, ProfilePace))
    assert (pace.held, pace.assigned_until) == (11, START + timedelta(seconds=2))


async def test_the_first_goes_at_once_and_the_next_after_its_gap(pacer: Pacer) -> None:
    await pacer.hold(assigned(3))
    first = await pacer.release()
    assert [each.recipient for each in first] == ["201100000000"]
    await pacer.report("sent", *first)
    assert await pacer.release() == []
    pacer.now += timedelta(minutes=8)  # the longest gap of a calm queue is seven and a half
    assert [each.recipient for each in await pacer.release()] == ["201100000001"]


async def test_heads_keep_their_order_with_any_query_plan(pacer: Pacer) -> None:
    """Fails without the last ORDER BY: a hash join, likely with many contacts, loses the order of the heads."""
    await pacer.hold(assigned(30))
    limits = arrays(RecipientLimit, [RecipientLimit("p0", 2)])
    many = "INSERT INTO pacer.contact (profile_id, recipient) SELECT 'p0', 'x' || n FROM generate_series(1, 20000) AS n"
    async with pacer.engine.begin() as connection:
        for statement in (many, "ANALYZE pacer.contact", "SET LOCAL enable_nestloop = off"):
            await connection.execute(text(statement))
        found = (await connection.execute(HEADS, {**limits, "now": START, "heads": 50})).all()
    assert [row.recipient for row in found] == [f"2011{number:08}" for number in range(30)]


async def test_an_hour_holds_its_limit_even_when_answers_come_late(pacer: Pacer) -> None:
    """A release counts until an hour after its answer; without an answer it counts for ever."""
    pacer.config.configure(package(limits=ProfileLimits(per_hour=2, per_3_hours=50, per_day=50)))
    await pacer.hold(assigned(5))
    one = await pacer.release()
    await pacer.report("sent", *one)
    pacer.now += timedelta(minutes=50)
    two = await pacer.release()
    assert len(two) == 1
    pacer.now += timedelta(minutes=40)  # the first is out of the hour, the second is not answered
    three = await pacer.release()
    assert len(three) == 1
    pacer.now += timedelta(minutes=90)
    assert await pacer.release() == []
    await pacer.report("sent", *two, *three)  # answered only now: the hour holds both
    pacer.now += timedelta(minutes=59)
    assert await pacer.release() == []
    pacer.now += timedelta(minutes=4)  # the slack: 8 % of half an hour
    assert len(await pacer.release()) == 1


async def test_a_limit_that_has_room_again_holds_for_its_slack(pacer: Pacer) -> None:
    """Fails if the release that fills a limit is ignored as soon as there is room."""
    pacer.config.configure(package(limits=ProfileLimits(per_hour=1, per_3_hours=50, per_day=50)))
    await pacer.hold(assigned(2))
    await pacer.report("sent", *await pacer.release())
    async with pacer.engine.begin() as connection:
        await connection.execute(text("UPDATE pacer.profile SET position = 1"))
    pacer.now += timedelta(minutes=64)  # the slack is 8 % of an hour: 4.8 minutes
    assert await pacer.release() == []
    explanation = members(await pacer.explainer.delivery(assigned(2).deliveries[1].delivery_id))
    assert (explanation["bound"], explanation["next_release"]) == (
        "hour limit",
        START + timedelta(minutes=64, seconds=48),
    )
    pacer.now += timedelta(minutes=1)
    assert len(await pacer.release()) == 1


async def test_a_package_has_no_more_at_the_gateway_than_it_may(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=6, concurrent=2))
    await pacer.hold(assigned(6, profiles=6))
    first = await pacer.release()
    assert len(first) == 2
    await pacer.report("sent", first[0])
    assert len(await pacer.release()) == 1


async def test_a_package_has_a_day_limit_over_all_its_profiles(pacer: Pacer) -> None:
    limited = package(profiles=6).model_copy(update={"limits": PackageLimits(per_day=3)})
    pacer.config.configure(limited)
    await pacer.hold(assigned(12, profiles=6))
    first = await pacer.release()
    await pacer.report("sent", *first)
    pacer.now += timedelta(hours=23)
    assert await pacer.release() == []
    pacer.now += timedelta(hours=2)
    assert (len(first), len(await pacer.release())) == (3, 3)


async def test_three_pacers_at_once_release_each_delivery_once_and_no_more_than_the_limits(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=8, concurrent=5))
    await pacer.hold(assigned(80, profiles=8))
    others = [Pacer(pacer.engine, pacer.config, MemoryBus(START)) for _ in range(3)]
    released = [each for batch in await asyncio.gather(*(other.release() for other in others)) for each in batch]
    assert len({each.delivery_id for each in released}) == 5
    assert await pacer.states() == {"held": 75, "released": 5}


async def test_a_failed_publish_is_repeated(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    pacer.bus.away = True
    with pytest.raises(Exception, match="down"):
        await pacer.release()
    pacer.bus.away = False
    await pacer.relay()
    assert len(pacer.bus.of(DeliveryReleased)) == 1
    await pacer.relay()
    assert len(pacer.bus.of(DeliveryReleased)) == 1


async def test_a_deferred_delivery_is_held_again_and_counts_again(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    first = await pacer.release()
    await pacer.report("deferred", *first, not_before=START + timedelta(minutes=30))
    assert await pacer.states() == {"held": 1}
    pacer.now += timedelta(minutes=29)
    assert await pacer.release() == []
    pacer.now += timedelta(minutes=2)
    again = await pacer.release()
    assert [(each.delivery_id, each.release) for each in again] == [(first[0].delivery_id, 2)]


async def test_a_delivery_deferred_for_a_day_expires(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    first = await pacer.release()
    pacer.now += timedelta(hours=25)
    await pacer.report("deferred", *first, not_before=pacer.now)
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["expired"]


async def test_a_returned_delivery_is_released_by_its_next_profile(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(1))
    first = await pacer.release()
    await pacer.report("deferred", *first)
    assert await pacer.states() == {"returned": 1}
    await pacer.hold(assigned(1, attempt=2, profile="p1"))
    assert [each.profile_id for each in await pacer.release()] == ["p1"]
    await pacer.report("failed", *first)  # a late repeat about the first attempt
    assert await pacer.states() == {"released": 1}


async def test_a_cancellation_ends_held_deliveries_and_later_ones(pacer: Pacer) -> None:
    await pacer.hold(assigned(3))
    await pacer.cancel("msg_1")
    await pacer.hold(assigned(5))
    assert await pacer.release() == []
    assert {each.status for each in pacer.bus.of(DeliveryOutcome)} == {"cancelled"}
    assert await pacer.states() == {"cancelled": 5}


async def test_a_cancellation_and_an_intake_at_once_do_not_miss_each_other(pacer: Pacer) -> None:
    """Each may begin before the other is committed: fails without the lock between them."""
    pacer.config.configure(package().model_copy(update={"paused": True}))
    for number in range(10):
        batch = [assigned(200, f"msg_{number}_{part}") for part in range(5)]
        await asyncio.gather(pacer.hold(*batch), pacer.cancel(f"msg_{number}_4"))
    states = await pacer.states()
    assert states == {"held": 10 * 4 * 200, "cancelled": 10 * 200}


async def test_a_held_delivery_expires(pacer: Pacer) -> None:
    await pacer.hold(assigned(2, options=OpenOptions(expires_at=START + timedelta(minutes=1))))
    assert len(await pacer.release()) == 1
    pacer.now += timedelta(minutes=2)
    await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).expire()
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["expired"]


async def test_old_rows_are_deleted_and_others_kept(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    first = await pacer.release()
    await pacer.report("sent", *first)
    async with pacer.engine.begin() as connection:
        await connection.execute(
            text("UPDATE pacer.delivery SET changed_at = changed_at - interval '13 days' WHERE state = 'settled'")
        )
    pacer.now += timedelta(days=36)
    await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).retention().delete_old(1_000)
    async with pacer.engine.connect() as connection:
        releases = (await connection.execute(text("SELECT count(*) FROM pacer.release"))).scalar_one()
    assert (await pacer.states(), releases) == ({"held": 1}, 0)


async def test_a_removed_profile_hands_its_queue_back(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(4, profiles=2))
    pacer.config.configure(package(profiles=1))
    await pacer.release()
    assert [each.index for each in pacer.bus.of(DeliveryReturned)] == [1, 3]


async def test_a_blocked_profile_hands_its_queue_back_unless_no_other_profile_could_send_it(
    pacer: Pacer,
) -> None:
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(2, profiles=2))
    blocked = LaneState(state="blocked", cause="463")
    pacer.config.set_state(ProfileState(profile_id="p0", package_id="one", open=blocked, at=START))
    await pacer.release()
    (returned,) = pacer.bus.of(DeliveryReturned)
    assert (returned.index, returned.reason) == (0, "profile p0 is blocked for open chat: 463")
    pacer.config.configure(package(profiles=1))
    await pacer.hold(assigned(1, message_id="msg_2"))
    assert await pacer.release() == []
    assert (await pacer.states())["held"] == 1


async def test_a_deleted_package_cancels_its_deliveries(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    pacer.config.remove("one")
    assert await pacer.release() == []
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["cancelled", "cancelled"]


async def test_a_changed_package_becomes_due(pacer: Pacer) -> None:
    pacer.config.configure(package().model_copy(update={"paused": True}))
    await pacer.hold(assigned(1))
    assert await pacer.release() == []
    pacer.configure(package())
    await pacer.release_loop.run_pass()
    assert await pacer.states() == {"released": 1}


async def test_an_expiry_works_in_pieces(pacer: Pacer) -> None:
    pacer.config.configure(package().model_copy(update={"paused": True}))
    await pacer.hold(*assigned_in_parts(1_100, options=OpenOptions(expires_at=START + timedelta(minutes=1))))
    pacer.now += timedelta(minutes=2)
    maintenance = QueueMaintenance(pacer.engine, pacer.clock, lambda: None)
    assert await maintenance.expire() == 0
    assert await pacer.states() == {"held": 600, "expired": 500}
    assert (await maintenance.expire(), await maintenance.expire()) == (0, EXPIRE_EVERY_SECONDS)
    assert await pacer.states() == {"expired": 1_100}


async def test_a_pass_hands_back_one_piece_of_all_queues_together(pacer: Pacer) -> None:
    """Fails if each blocked profile hands back a piece of its own: the releases of the pass would wait for all."""
    pacer.config.configure(package(profiles=3))
    await pacer.hold(*assigned_in_parts(1_800, profiles=3))
    pacer.config.configure(package(profiles=1))
    await pacer.release_loop.run_pass()
    assert await pacer.states() == {"held": 1_299, "returned": 500, "released": 1}
    await pacer.release()
    assert len(pacer.bus.of(DeliveryReturned)) == 1_200
