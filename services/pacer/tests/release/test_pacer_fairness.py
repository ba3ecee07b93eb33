"""Fairness: who has a turn in a release pass, and which events wake whom."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from sqlalchemy import text

from pacer.release.configuration_changes import ConfigurationChanges
from pacer.release.loop import ReleaseLoop
from pacer.testing import START, Pacer, assigned, package, waiting
from spreader.contract.configuration import Package, ProfileLimits
from spreader.contract.events import DeliveryReturned, LaneState, ProfileState

pytestmark = pytest.mark.postgres

WIDE = ProfileLimits(per_hour=3600, per_3_hours=9000, per_day=20_000)
BLOCKED = LaneState(state="blocked", cause="463")


def loop_of(pacer: Pacer, profiles_a_pass: int) -> ReleaseLoop:
    return ReleaseLoop(
        pacer.engine,
        pacer.config,
        pacer.clock,
        profiles_a_pass,
        lambda results, now: None,
        lambda: None,
        pacer.rescheduler,
    )


async def due(pacer: Pacer) -> set[str]:
    """The profiles that have their turn now."""
    async with pacer.engine.connect() as connection:
        statement = text("SELECT profile_id FROM pacer.profile WHERE look_at <= :now")
        return set((await connection.execute(statement, {"now": pacer.now})).scalars().all())


async def released(pacer: Pacer) -> Mapping[str, int]:
    async with pacer.engine.connect() as connection:
        rows = await connection.execute(text("SELECT profile_id, releases FROM pacer.profile"))
        return {row.profile_id: row.releases for row in rows}


def state(profile_id: str, lane: LaneState | None = None, factor: float = 1.0) -> ProfileState:
    lane = lane or LaneState()
    return ProfileState(profile_id=profile_id, package_id="one", open=lane, limit_factor=factor, at=START)


async def test_profiles_woken_all_the_time_do_not_starve_one_that_is_due_by_the_clock(pacer: Pacer) -> None:
    """Red before: woken profiles had every place of every pass."""
    pacer.config.configure(package(profiles=6, limits=WIDE, concurrent=100))
    await pacer.hold(assigned(1, profile="p5"))
    later = START + timedelta(seconds=10)
    async with pacer.engine.begin() as connection:
        await connection.execute(text("UPDATE pacer.profile SET look_at = :at"), {"at": later})
    pacer.now = later + timedelta(seconds=1)
    passes = 0
    while not (await released(pacer)).get("p5"):
        passes += 1
        assert passes <= 3, "the profile that is due by the clock had no turn"
        for number in range(5):  # each of these profiles is woken before every pass
            await pacer.hold(assigned(1, f"msg_{passes}_{number}", profile=f"p{number}", first=10 * passes + number))
        await loop_of(pacer, profiles_a_pass=2).run_pass()
        pacer.now += timedelta(seconds=1)


async def test_profiles_that_hand_back_long_queues_let_others_have_their_turn(pacer: Pacer) -> None:
    """Red before: two removed profiles had both places of each pass until their queues were empty."""
    pacer.config.configure(package(profiles=3, limits=WIDE))
    for profile in ("p1", "p2"):
        for first in range(0, 2_000, 500):
            await pacer.hold(assigned(500, f"msg_{profile}", profile=profile, first=first))
    pacer.config.configure(package(profiles=1, limits=WIDE))
    pacer.now += timedelta(seconds=1)
    await pacer.hold(assigned(1, "msg_p0", profile="p0"))
    for _ in range(2):
        await loop_of(pacer, profiles_a_pass=2).run_pass()
        pacer.now += timedelta(seconds=1)
    assert (await released(pacer))["p0"] == 1


async def test_an_outcome_wakes_only_profiles_that_wait_for_a_place_of_its_package(pacer: Pacer) -> None:
    """Red before: it woke p2, which waits for an operator, and p3, which waits for an answer of its own."""
    limited = package(profiles=4, limits=WIDE, concurrent=2)
    own_limit = ProfileLimits(per_hour=1, per_3_hours=1, per_day=4)
    profiles = list(limited.profiles)
    profiles[2] = profiles[2].model_copy(update={"paused": True})
    profiles[3] = profiles[3].model_copy(update={"limits": own_limit})
    pacer.config.configure(limited.model_copy(update={"profiles": tuple(profiles)}))
    await pacer.hold(assigned(2, "msg_3", profile="p3"))
    (of_p3,) = await pacer.release()
    await pacer.hold(assigned(1, "msg_0", profile="p0", first=5))
    (of_p0,) = await pacer.release()
    await pacer.hold(assigned(1, "msg_1", profile="p1", first=6), assigned(1, "msg_2", profile="p2", first=7))
    pacer.now += timedelta(seconds=1)
    assert await pacer.release() == []
    assert await due(pacer) == set()
    await pacer.report("sent", of_p0)
    assert await due(pacer) == {"p1"}
    assert [each.profile_id for each in await pacer.release()] == ["p1"]
    await pacer.report("sent", of_p3)
    assert await due(pacer) == {"p3"}


async def test_an_outcome_wakes_no_profile_that_waits_for_a_place_of_another_package(pacer: Pacer) -> None:
    one = package(profiles=2, limits=WIDE, concurrent=1)
    others = (profile.model_copy(update={"profile_id": f"o{number}"}) for number, profile in enumerate(one.profiles))
    other = one.model_copy(update={"package_id": "another", "profiles": tuple(others)})
    pacer.config.configure(one)
    pacer.config.configure(other)
    for number in range(2):
        event = assigned(1, f"msg_o{number}", profile=f"o{number}", first=number + 5)
        await pacer.hold(assigned(1, f"msg_p{number}", profile=f"p{number}", first=number))
        await pacer.hold(event.model_copy(update={"package_id": "another"}))
    released = {each.package_id: each for each in await pacer.release()}
    assert set(released) == {"one", "another"}
    pacer.now += timedelta(seconds=1)
    assert await pacer.release() == []
    assert await due(pacer) == set()
    await pacer.report("sent", released["another"])
    assert {name[0] for name in await due(pacer)} == {"o"}


async def test_a_changed_state_wakes_only_its_own_profile(pacer: Pacer) -> None:
    """Red before: it woke all profiles of the package."""
    pacer.config.configure(package(profiles=5))
    await pacer.hold(assigned(10, profiles=5))
    await pacer.release()
    pacer.now += timedelta(seconds=1)
    changes = changes_of(pacer)
    changed = state("p2", factor=0.5)
    pacer.config.set_state(changed)
    changes.on_state("p2", changed)
    await pacer.rescheduler.write(pacer.clock)
    assert await due(pacer) == {"p2"}


async def test_a_profile_that_can_send_again_gets_what_waits_and_what_blocked_ones_hold(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=3))
    for profile in ("p0", "p1", "p2"):
        pacer.config.set_state(state(profile, BLOCKED))
    await pacer.hold(assigned(1, "msg_1", profile="p1"), waiting(1, "msg_2"))
    pacer.now += timedelta(seconds=2)
    assert await pacer.release() == []
    assert pacer.bus.of(DeliveryReturned) == []
    open_again = state("p0")
    pacer.config.set_state(open_again)
    changes_of(pacer).on_state("p0", open_again)
    await pacer.release()
    assert {event.message_id for event in pacer.bus.of(DeliveryReturned)} == {"msg_1", "msg_2"}


async def test_the_states_of_a_package_are_looked_at_once_in_a_pass(
    pacer: Pacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red before: all states for each due profile, 40 times 40."""
    count = 40
    pacer.config.configure(package(profiles=count))
    await pacer.hold(assigned(count, profiles=count))
    for number in range(count):
        pacer.config.set_state(state(f"p{number}", BLOCKED if number else None))
    looks: list[str] = []
    read = type(pacer.config).state
    monkeypatch.setattr(type(pacer.config), "state", lambda self, name: (looks.append(name), read(self, name))[1])
    searches: list[str] = []
    search = Package.profile
    monkeypatch.setattr(Package, "profile", lambda self, name: (searches.append(name), search(self, name))[1])
    await loop_of(pacer, count).run_pass()
    assert len(pacer.bus.of(DeliveryReturned)) == 0  # not published yet
    assert await pacer.states() == {"returned": count - 1, "released": 1}
    assert len(looks) <= 4 * count
    assert searches == []


def changes_of(pacer: Pacer) -> ConfigurationChanges:
    return ConfigurationChanges(pacer.config, pacer.rescheduler, None, lambda: None, lambda: None)  # pyright: ignore[reportArgumentType]
