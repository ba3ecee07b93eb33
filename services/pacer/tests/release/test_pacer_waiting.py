"""Waiting queue, on a real Postgres: deliveries without a profile are held, explained, ended and shared out."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from pacer.core.waiting_queue import find_takers
from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.metrics import WAITING
from pacer.release.maintenance import QueueMaintenance
from pacer.release.queue_count import QueueCounter
from pacer.release.waiting_queues import ROWS_MAX
from pacer.testing import START, Pacer, assigned, members, package, received, waiting
from spreader.consent import NOT_OPTED_IN, SUPPRESSED
from spreader.contract.configuration import Package, ProfileLimits
from spreader.contract.events import (
    ConsentChanged,
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    LaneState,
    OpenOptions,
    ProfileState,
    SessionState,
)
from spreader.testing import FakeProgress, NoDeduplication

pytestmark = pytest.mark.postgres

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TEN_A_DAY = ProfileLimits(per_hour=2, per_day=10)


def paused(*profiles: str, of: Package, backups: Sequence[str] = ()) -> Package:
    updated = tuple(
        profile.model_copy(update={"paused": profile.profile_id in profiles, "backup": profile.profile_id in backups})
        for profile in of.profiles
    )
    return of.model_copy(update={"profiles": updated})


def closed(profile_id: str, session: SessionState = "working") -> ProfileState:
    lane = LaneState(state="blocked", cause="its health is 31") if session == "working" else LaneState()
    return ProfileState(profile_id=profile_id, package_id="one", open=lane, session=session, at=START)


async def returned(pacer: Pacer) -> list[DeliveryReturned]:
    """Run release passes a second later, and return what the router gets."""
    before = len(pacer.bus.of(DeliveryReturned))
    pacer.now += SECOND
    await pacer.release()
    return pacer.bus.of(DeliveryReturned)[before:]


async def test_deliveries_without_a_profile_are_held_until_one_can_send(pacer: Pacer) -> None:
    pacer.configure(paused("p0", of=package()))
    assert await pacer.hold(waiting(3), waiting(3)) == 3
    assert await returned(pacer) == []
    assert await pacer.states() == {"held": 3}
    await QueueCounter(pacer.engine, pacer.clock).count()
    assert WAITING._value.get() == 3  # pyright: ignore[reportPrivateUsage]
    pacer.configure(package())
    back = await returned(pacer)
    assert [(each.recipient, each.attempt, each.tried, each.distribution) for each in back] == [
        (f"2011{number:08}", 1, (), "weighted") for number in range(3)
    ]
    await pacer.hold(assigned(3, attempt=2))
    assert [each.profile_id for each in await pacer.release()] == ["p0"]
    await QueueCounter(pacer.engine, pacer.clock).count()
    assert WAITING._value.get() == 0  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("session", ["working", "stopped"])
async def test_a_closed_lane_and_a_session_that_does_not_work_make_deliveries_wait(
    pacer: Pacer, session: SessionState
) -> None:
    state = closed("p0", session)
    assert pacer.config.changes_rules(state.model_copy(update={"open": LaneState(), "session": "working"}))
    assert pacer.config.changes_rules(state)
    pacer.config.set_state(state)
    await pacer.hold(waiting(2))
    assert await returned(pacer) == []
    pacer.config.set_state(state.model_copy(update={"open": LaneState(), "session": "working"}))
    pacer.rescheduler.on_state_changed("one", "p0", can_send=True)
    assert len(await returned(pacer)) == 2


async def test_an_explanation_says_why_a_delivery_waits_and_since_when(pacer: Pacer) -> None:
    pacer.configure(paused("p0", of=package()))
    event = waiting(2)
    await pacer.hold(event)
    pacer.now += timedelta(hours=3)
    explained = members(await pacer.explainer.delivery(event.deliveries[1].delivery_id))
    assert {name: explained[name] for name in ("state", "profile_id", "waiting_since", "bound", "ahead", "why")} == {
        "state": "held",
        "profile_id": None,
        "waiting_since": START,
        "bound": "waiting for a profile",
        "ahead": 1,
        "why": "No profile of the package can send now (p0: paused by an operator).",
    }
    queue = members(await pacer.explainer.queue("one"))
    assert (queue["held"], queue["waiting_for_profile"]) == (2, 2)
    await pacer.hold(waiting(2, attempt=2))  # the router had no profile for them, once more
    again = members(await pacer.explainer.delivery(event.deliveries[1].delivery_id))
    assert (again["waiting_since"], again["attempt"]) == (START, 2)
    await pacer.hold(assigned(2, attempt=3))
    given = members(await pacer.explainer.delivery(event.deliveries[1].delivery_id))
    assert (given["waiting_since"], given["profile_id"]) == (None, "p0")


async def test_a_waiting_delivery_expires(pacer: Pacer) -> None:
    pacer.configure(paused("p0", of=package()))
    await pacer.hold(waiting(2, options=OpenOptions(expires_at=START + MINUTE)))
    pacer.now += MINUTE
    await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).expire()
    await pacer.relay()
    assert [(each.status, each.profile_id) for each in pacer.bus.of(DeliveryOutcome)] == [("expired", None)] * 2


async def test_a_waiting_delivery_is_cancelled_also_while_the_router_has_it(pacer: Pacer) -> None:
    pacer.configure(paused("p0", of=package()))
    await pacer.hold(waiting(1), waiting(1, "msg_2"))
    await pacer.cancel("msg_1")
    pacer.configure(package())
    assert [each.message_id for each in await returned(pacer)] == ["msg_2"]
    await pacer.cancel("msg_2")
    await pacer.hold(assigned(1, "msg_2", attempt=2))
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["cancelled"] * 2


async def test_consent_ends_waiting_deliveries(pacer: Pacer) -> None:
    strict = package().model_copy(update={"opted_in_only": True})
    pacer.configure(paused("p0", of=strict))
    await pacer.hold(waiting(2))
    enforcer = ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(), lambda: None)
    opt_out = ConsentChanged(
        package_id="*", recipient="201100000000", kind="suppression", listed=True, source="api", at=START
    )
    await enforcer.apply(NoDeduplication(), received(opt_out))
    await pacer.end_stopped()
    enforcer.on_configured("one")
    while await enforcer.enforce() == 0:
        pass
    await pacer.relay()
    assert {(each.status, each.reason) for each in pacer.bus.of(DeliveryOutcome)} == {
        ("suppressed", SUPPRESSED), ("suppressed", NOT_OPTED_IN),
    }  # fmt: skip


async def test_the_first_profile_that_can_send_gets_a_days_work_and_the_rest_is_kept_for_the_others(
    pacer: Pacer,
) -> None:
    two = package(profiles=2, limits=TEN_A_DAY)
    pacer.configure(paused("p0", "p1", of=two))
    await pacer.hold(assigned(4, "msg_0").model_copy(update={"requested_at": START - MINUTE}), waiting(35))
    pacer.configure(paused("p1", of=two))
    assert len(await returned(pacer)) == 7  # of the four before them, one is released and three go first
    await pacer.hold(assigned(7, attempt=2))
    await pacer.hold(assigned(100, "msg_2").model_copy(update={"requested_at": START + MINUTE}))
    pacer.now += MINUTE
    assert await returned(pacer) == []
    (released,) = pacer.bus.of(DeliveryReleased)
    await pacer.report("sent", released)
    pacer.now += timedelta(hours=20)
    assert len(await returned(pacer)) == 1  # one more is released; later messages do not count
    pacer.configure(two)
    assert len(await returned(pacer)) == 27


async def test_only_profiles_that_were_not_tried_take_a_waiting_delivery(pacer: Pacer) -> None:
    two = package(profiles=2)
    pacer.configure(paused("p1", of=two))
    await pacer.hold(waiting(1, "msg_1", tried=("p0",)), waiting(1, "msg_2"))
    assert [each.message_id for each in await returned(pacer)] == ["msg_2"]
    pacer.configure(two)
    assert [(each.message_id, each.tried) for each in await returned(pacer)] == [("msg_1", ("p0",))]
    await pacer.hold(waiting(1, "msg_3", tried=("p0", "p1")))
    assert [each.message_id for each in await returned(pacer)] == ["msg_3"]  # the router ends it


async def test_a_pass_gives_back_a_limited_number(pacer: Pacer) -> None:
    pacer.configure(paused("p0", of=package()))
    await pacer.hold(waiting(ROWS_MAX), waiting(1, "msg_2"))
    pacer.configure(package())
    pacer.now += SECOND
    loop = pacer.release_loop
    assert await loop.run_pass() == 0
    assert Counter(await pacer.states()) == {"returned": ROWS_MAX, "held": 1}
    assert len(await returned(pacer)) == ROWS_MAX + 1


async def test_a_waiting_queue_is_looked_at_again_only_later(pacer: Pacer) -> None:
    """Router and pacer may disagree for some time on who can send: deliveries must not circle between them."""
    await pacer.hold(waiting(2))
    assert await pacer.release_loop.run_pass() > 0
    assert len(await returned(pacer)) == 2
    await pacer.hold(waiting(2, attempt=2))
    assert await pacer.release_loop.run_pass() > 0


async def test_a_removed_package_cancels_its_waiting_deliveries(pacer: Pacer) -> None:
    pacer.configure(paused("p0", of=package()))
    await pacer.hold(waiting(2))
    pacer.config.remove("one")
    pacer.rescheduler.on_configured("one", None)
    await returned(pacer)
    assert [(each.status, each.profile_id) for each in pacer.bus.of(DeliveryOutcome)] == [("cancelled", None)] * 2


def test_backups_take_only_while_no_other_profile_can_send() -> None:
    three = package(profiles=3)
    one_backup = paused(of=three, backups=("p2",))
    assert find_takers(one_backup, {}).taking == ("p0", "p1")
    assert find_takers(one_backup, {}).is_complete
    only = find_takers(paused("p0", of=three, backups=("p2",)), {"p1": closed("p1")})
    assert (only.taking, only.is_complete) == (("p2",), False)
    assert find_takers(paused("p2", of=three, backups=("p2",)), {}).is_complete
