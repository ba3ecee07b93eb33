"""Consent enforcer, on a real Postgres: opt-outs end held and later deliveries."""

import asyncio

import pytest

from pacer.intake.consent_enforcer import IDLE_SECONDS, ConsentEnforcer
from pacer.intake.held_queue import HeldQueue
from pacer.intake.read_times import ReadTimes
from pacer.testing import START, Pacer, assigned, package, received
from pacer.views.forecast import PlannedMessage
from spreader.consent import NOT_OPTED_IN, SUPPRESSED
from spreader.contract.events import ConsentChanged, ConsentKind, DeliveryOutcome, OpenOptions
from spreader.testing import FakeProgress, NoDeduplication

pytestmark = pytest.mark.postgres

ONE, TWO, THREE = (f"2011{number:08}" for number in range(3))


async def change(
    pacer: Pacer, *places: tuple[str, str], kind: ConsentKind = "suppression", listed: bool = True
) -> None:
    changes = [
        ConsentChanged(package_id=package, recipient=recipient, kind=kind, listed=listed, source="api", at=START)
        for package, recipient in places
    ]
    await enforcer(pacer).apply(NoDeduplication(), received(*changes))
    await pacer.end_stopped()
    await pacer.relay()


def enforcer(pacer: Pacer, behind: int = 0) -> ConsentEnforcer:
    return ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(behind), lambda: None)


async def enforce_opt_ins(pacer: Pacer, behind: int = 0) -> None:
    """As after the package is configured."""
    enforcing = enforcer(pacer, behind)
    enforcing.on_configured("one")
    while await enforcing.enforce() == 0:
        pass
    await pacer.relay()


def configure(pacer: Pacer, opted_in_only: bool) -> None:
    pacer.config.configure(package(profiles=2).model_copy(update={"opted_in_only": opted_in_only}))


def published(pacer: Pacer) -> list[tuple[str, str, str | None, int | None]]:
    return [(each.recipient, each.status, each.reason, each.release) for each in pacer.bus.of(DeliveryOutcome)]


async def test_an_opt_out_ends_held_deliveries_at_once(pacer: Pacer) -> None:
    await pacer.hold(assigned(3), assigned(3, "msg_2"))
    await change(pacer, ("one", TWO))
    assert published(pacer) == [(TWO, "suppressed", SUPPRESSED, None)] * 2
    assert await pacer.states() == {"held": 4, "suppressed": 2}
    await change(pacer, ("one", TWO))
    assert len(published(pacer)) == 2


async def test_a_suppression_in_all_packages_stops_and_that_of_another_does_not(pacer: Pacer) -> None:
    await pacer.hold(assigned(3))
    await change(pacer, ("*", ONE), ("another", TWO))
    assert [each[0] for each in published(pacer)] == [ONE]


async def test_later_deliveries_to_a_suppressed_recipient_are_never_held(pacer: Pacer) -> None:
    await change(pacer, ("one", ONE), ("*", TWO), ("one", THREE))
    await change(pacer, ("one", THREE), listed=False)
    await pacer.hold(assigned(3))
    await pacer.relay()
    assert sorted(published(pacer)) == [(each, "suppressed", SUPPRESSED, None) for each in (ONE, TWO)]
    assert [each.recipient for each in await pacer.release()] == [THREE]


async def test_a_released_delivery_is_left_to_the_sender(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    released = await pacer.release()
    await change(pacer, ("one", ONE))
    assert await pacer.states() == {"released": 1}
    await pacer.report("suppressed", *released)
    assert await pacer.states() == {"settled": 1}


async def test_opt_ins_change_nothing_in_a_package_that_requires_none(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    await change(pacer, ("one", ONE), kind="opt_in")
    await change(pacer, ("one", ONE), kind="opt_in", listed=False)
    await enforce_opt_ins(pacer)
    assert (published(pacer), await pacer.states()) == ([], {"held": 1})


async def test_a_removed_opt_in_ends_held_deliveries_at_once(pacer: Pacer) -> None:
    configure(pacer, opted_in_only=True)
    await change(pacer, ("one", ONE), ("one", TWO), kind="opt_in")
    await pacer.hold(assigned(2))
    await change(pacer, ("one", TWO), ("another", ONE), kind="opt_in", listed=False)
    assert published(pacer) == [(TWO, "suppressed", NOT_OPTED_IN, None)]
    assert await pacer.states() == {"held": 1, "suppressed": 1}


async def test_a_package_that_begins_to_require_opt_ins_ends_its_other_held_deliveries(pacer: Pacer) -> None:
    configure(pacer, opted_in_only=False)
    await change(pacer, ("one", ONE), kind="opt_in")
    await change(pacer, ("another", TWO), kind="opt_in")
    await pacer.hold(assigned(3, profiles=2))
    configure(pacer, opted_in_only=True)
    await enforce_opt_ins(pacer, behind=3)
    assert sorted(published(pacer)) == [(each, "suppressed", NOT_OPTED_IN, None) for each in (TWO, THREE)]
    assert [each.recipient for each in await pacer.release()] == [ONE]


async def test_each_package_is_checked_once_unless_deliveries_were_held_unchecked(pacer: Pacer) -> None:
    configure(pacer, opted_in_only=True)
    enforcing = enforcer(pacer)
    for expected in (0.0, IDLE_SECONDS):
        enforcing.on_configured("one")
        assert await enforcing.enforce() == expected
    assert (enforcing.add_unchecked(["another"]), await enforcing.enforce()) == (False, IDLE_SECONDS)
    assert (enforcing.add_unchecked(["one"]), await enforcing.enforce()) == (True, 0.0)
    configure(pacer, opted_in_only=False)
    enforcing.on_configured("one")
    configure(pacer, opted_in_only=True)
    enforcing.on_configured("one")
    assert await enforcing.enforce() == 0.0


async def test_a_delivery_without_the_required_opt_in_is_never_held(pacer: Pacer) -> None:
    configure(pacer, opted_in_only=True)
    await change(pacer, ("one", ONE), ("one", TWO), kind="opt_in")
    await change(pacer, ("one", TWO))
    strict = await enforcer(pacer).enforceable(["one", "another"])
    assert strict == {"one"}
    queue = HeldQueue(pacer.engine, pacer.clock, ReadTimes(pacer.config))
    await queue.hold(NoDeduplication(), received(assigned(3)), strict)
    await pacer.relay()
    assert sorted(published(pacer)) == [
        (TWO, "suppressed", SUPPRESSED, None),
        (THREE, "suppressed", NOT_OPTED_IN, None),
    ]
    assert await pacer.states() == {"held": 1, "suppressed": 2}


async def test_a_missing_opt_in_counts_only_after_the_topic_is_consumed(pacer: Pacer) -> None:
    configure(pacer, opted_in_only=True)
    enforcing = ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(behind=2), lambda: None, wait_seconds=0.0)
    enforcing.on_configured("one")
    assert await enforcing.enforceable(["one"]) == frozenset()
    await pacer.hold(assigned(1))
    assert (await enforcing.enforce(), await pacer.states()) == (0.0, {"held": 1})
    assert (await enforcing.enforce(), await pacer.states()) == (0.0, {"suppressed": 1})


async def test_a_forecast_without_deliveries_is_empty(pacer: Pacer) -> None:
    forecast = await pacer.forecaster.message("one", PlannedMessage({}, (), OpenOptions()))
    assert forecast is not None
    assert (forecast.completion, forecast.binds, dict(forecast.curve)) == (None, "", {})


async def test_a_change_and_an_intake_at_once_do_not_miss_each_other(pacer: Pacer) -> None:
    """Each may begin before the other is committed: the change would not see the rows, nor they the change."""
    for number in range(10):
        batch = [assigned(200, f"msg_{number}_{part}") for part in range(5)]
        recipient = f"2011{number:08}"
        await asyncio.gather(pacer.hold(*batch), change(pacer, ("one", recipient)))
        await pacer.relay()
        mine = [each for each in pacer.bus.of(DeliveryOutcome) if each.recipient == recipient]
        assert len({each.delivery_id for each in mine if each.message_id.startswith(f"msg_{number}_")}) == 5
