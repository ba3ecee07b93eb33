"""Stories of crashes, shutdown, Kafka outages, and gateways that have lost their profiles."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from sender.core.claim_result import SettledClaim, StillInDoubt
from sender.core.slot_pool import FreeSlots
from sender.gateways.registration import ProfileRegistration, RegistrationIncomplete
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import (
    NOON,
    Accept,
    FakeGateway,
    LossyBus,
    ObservedBus,
    Refuse,
    batch_of,
    begin_calls,
    profile,
    released,
)
from sender.testing.lane_runner import attempt_runner, run_lane, statuses
from spreader.contract.configuration import Package
from spreader.contract.events import DeliveryOutcome, DeliveryReturned, PackageConfigured
from spreader.testing import MemoryBus

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]


async def test_deliveries_of_a_dead_sender_are_looked_up_and_only_unsent_ones_are_sent(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [released(f"m{number}") for number in range(10)]
    dead = make_ledger("open", "dead", lease_seconds=0)
    claimed = (await dead.take_in(batch_of(*asked), free=FreeSlots(6))).claims
    await begin_calls(dead, *claimed)
    gateway.sent += [claim.delivery.delivery_id for claim in claimed[:3]]
    async with run_lane(make_ledger("open", "heir"), driver, gateway) as sender:
        assert statuses(await sender.outcomes(10)) == {"sent": 10}
    assert sorted(gateway.lookups) == sorted(claim.delivery.delivery_id for claim in claimed)
    assert sorted(gateway.sent) == sorted(each.delivery_id for each in asked)


async def test_each_refused_release_ends_in_an_outcome_that_frees_its_place(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    codes = ["transient", "throttled", "profile_blocked", "recipient_invalid", "content_refused"]
    asked = [released(code, release=number) for number, code in enumerate(codes, start=1)]
    gateway.script = {each.delivery_id: [Refuse(400, each.message_id)] for each in asked}
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        await sender.receive(*asked)
        outcomes = {outcome.message_id: outcome for outcome in await sender.outcomes(5)}
    assert [(outcomes[code].status, outcomes[code].failure, outcomes[code].release) for code in codes] == [
        ("deferred", "transient", 1),
        ("deferred", "throttled", 2),
        ("deferred", "profile", 3),
        ("failed", "recipient", 4),
        ("failed", "content", 5),
    ]
    assert [event.message_id for event in sender.bus.inner.of(DeliveryReturned)] == ["profile_blocked"]
    assert gateway.sent == []


async def test_a_deferred_delivery_goes_out_with_its_next_release(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    gateway.script[released().delivery_id] = [Refuse(500, "transient")]
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        await sender.receive(released(release=1))
        await sender.outcomes(1)
        await sender.receive(released(release=2))
        outcomes = await sender.outcomes(2)
    assert [(outcome.release, outcome.status) for outcome in outcomes] == [(1, "deferred"), (2, "sent")]


async def test_a_release_that_comes_too_late_is_not_sent(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        sender.clock.forward(timedelta(hours=1))
        await sender.receive(released())
        (outcome,) = await sender.outcomes(1)
    assert (outcome.status, outcome.reason) == ("deferred", "too late: the time by which to send has passed")
    assert outcome.not_before == sender.clock()
    assert gateway.calls == []


async def test_a_lease_that_would_not_outlast_the_call_is_renewed_before_it(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    answers = asyncio.Event()
    gateway.script[released().delivery_id] = [Accept(after=answers)]
    (claim,) = (
        await make_ledger("open", "me", lease_seconds=0).take_in(batch_of(released()), free=FreeSlots(1))
    ).claims
    sending = attempt_runner(make_ledger("open", "me", lease_seconds=60), driver, gateway)
    under_way = asyncio.create_task(sending.run(claim))
    await gateway.until(lambda seen: len(seen.calls) == 1)
    assert await make_ledger("open", "other").claim(FreeSlots(1)) == ()
    answers.set()
    assert isinstance(await under_way, SettledClaim)


async def test_a_delivery_that_another_worker_has_taken_over_is_not_sent(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    (claim,) = (
        await make_ledger("open", "slow", lease_seconds=0).take_in(batch_of(released()), free=FreeSlots(1))
    ).claims
    assert len(await make_ledger("open", "heir").claim(FreeSlots(1))) == 1
    assert isinstance(await attempt_runner(make_ledger("open", "slow"), driver, gateway).run(claim), StillInDoubt)
    assert gateway.calls == []


async def test_a_stopping_sender_leaves_running_sends_in_doubt(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    never, heir = asyncio.Event(), make_ledger("open", "heir")
    gateway.script[released().delivery_id] = [Accept(after=never)]
    async with run_lane(make_ledger("open"), driver, gateway, drain_seconds=0) as sender:
        await sender.receive(released())
        await gateway.until(lambda seen: len(seen.calls) == 1)
    never.set()
    assert [claim.in_doubt for claim in await heir.claim(FreeSlots(1))] == [True]


async def test_a_stopping_sender_waits_for_its_running_calls(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    answers = asyncio.Event()
    gateway.script[released().delivery_id] = [Accept(after=answers)]
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        await sender.receive(released())
        await gateway.until(lambda seen: len(seen.calls) == 1)
        stopping = asyncio.create_task(sender.dispatcher.stop())
        answers.set()
        await stopping
    assert statuses(sender.bus.inner.published) == {"sent": 1}
    assert await make_ledger("open").unpublished(timedelta(0), 10) == []


async def test_events_that_kafka_did_not_confirm_are_published_again(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    ledger, lossy, healthy = make_ledger("open"), LossyBus(), ObservedBus()
    async with run_lane(ledger, driver, gateway, bus=lossy) as sender:
        await sender.receive(released())
        await sender.outcomes(1)
    async with run_lane(ledger, driver, gateway, bus=healthy) as sender:
        again = await sender.outcomes(1)
    assert again == lossy.inner.of(DeliveryOutcome)[:1]
    assert gateway.sent == [released().delivery_id]
    assert await ledger.unpublished(timedelta(0), 10) == []


async def test_an_unreachable_gateway_does_not_stop_other_registrations(
    driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    registration = ProfileRegistration({"simulator": driver})
    near, far = profile(gateway.base_url, "near"), profile("http://gateway.invalid", "far")
    package = Package(package_id="pkg", version=1, name="pkg", profiles=(far, near))
    registration.on_change("pkg", PackageConfigured(package=package, at=NOON))
    with pytest.raises(RegistrationIncomplete):
        await registration.register_due()
    assert list(gateway.registered) == ["account-near"]
    moved = package.model_copy(update={"profiles": (profile(gateway.base_url, "far"), near)})
    gateway.registered.clear()
    registration.on_change("pkg", PackageConfigured(package=moved, at=NOON))
    await registration.register_due()
    assert list(gateway.registered) == ["account-far"]


async def test_a_broken_connection_to_kafka_delays_no_send(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    away = ObservedBus(MemoryBus(NOON, away=True))
    async with run_lane(make_ledger("open"), driver, gateway, limit=2, bus=away) as sender:
        await sender.receive(*(released(f"m{number}") for number in range(10)))
        await gateway.until(lambda seen: len(seen.calls) == 10)
        away.inner.away = False
        assert statuses(await sender.outcomes(10))["sent"] >= 10
