"""Stories of a whole lane: intake, ledger, pump, sends, results and events, with a real Postgres and real HTTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from sender.core.delivery import Delivery
from sender.core.fate import Doubtful, Settled
from sender.drivers.simulator import SimulatorDriver
from sender.handlers import Intake
from sender.lane import Lane
from sender.outbox import Outbox
from sender.postgres import Ledger
from sender.profiles import Profiles
from sender.registration import Incomplete, Registration
from sender.results import Results
from sender.sending import Sending
from sender.testing import (
    NOON,
    Accept,
    Break,
    Configured,
    FakeGateway,
    LossyBus,
    Refuse,
    WatchedBus,
    arriving,
    profile,
    released,
    reply,
)
from spreader.configuration import Package
from spreader.events import DeliveryOutcome, DeliveryReturned, Event, PackageConfigured, ReplySettled
from spreader.testing import HandClock, MemoryBus

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., Ledger]


@dataclass
class Running:
    """A lane with everything but Kafka, under way."""

    intake: Intake
    lane: Lane
    bus: WatchedBus
    clock: HandClock
    read: int = 0

    async def ask(self, *deliveries: Delivery) -> None:
        """As one batch from the log."""
        first, self.read = self.read, self.read + len(deliveries)
        await self.intake.on_asked(arriving(*deliveries, first=first))

    async def outcomes(self, count: int) -> list[DeliveryOutcome]:
        await self.bus.until(lambda bus: len(bus.of(DeliveryOutcome)) >= count)
        return self.bus.inner.of(DeliveryOutcome)


@asynccontextmanager
async def running(
    ledger: Ledger,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    *,
    limit: int = 64,
    bus: WatchedBus | None = None,
    drain_seconds: float = 30,
    configured: Configured | None = None,
) -> AsyncGenerator[Running]:
    bus, clock = bus or WatchedBus(), HandClock(NOON)
    outbox = Outbox(ledger, bus, overdue=timedelta(0))
    results = Results(ledger, outbox, group_seconds=0)
    profiles = Profiles(configured or Configured((profile(gateway.base_url),)))
    sending = Sending(ledger, profiles, {"simulator": driver}, clock, 1.0, Random(1), call_seconds=30)
    # Nothing in a story may hang on the pump's own look: what there is to do must wake it.
    lane = Lane(ledger, sending, results, limit, drain_seconds, look_seconds=3600)
    parts = [outbox, results, lane]
    for part in parts:
        await part.start()
    try:
        yield Running(Intake(ledger, lane), lane, bus, clock)
    finally:
        for part in reversed(parts):
            await part.stop()


def send_with(ledger: Ledger, driver: SimulatorDriver, gateway: FakeGateway) -> Sending:
    profiles = Profiles(Configured((profile(gateway.base_url),)))
    return Sending(ledger, profiles, {"simulator": driver}, HandClock(NOON), 1.0, Random(1), call_seconds=30)


def statuses(events: Sequence[Event]) -> Counter[str]:
    return Counter(event.status for event in events if isinstance(event, DeliveryOutcome))


async def test_no_delivery_waits_behind_a_slow_one(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [released(f"m{number}") for number in range(200)]
    slow, answers = {each.delivery_id for each in asked[::10]}, asyncio.Event()
    gateway.script = {each: [Accept(after=answers)] for each in slow}
    async with running(ledger("open"), driver, gateway, limit=32) as sender:
        await sender.ask(*asked)
        fast = await sender.outcomes(180)
        assert {outcome.delivery_id for outcome in fast} == {each.delivery_id for each in asked} - slow
        await gateway.until(lambda seen: slow <= set(seen.calls))
        answers.set()
        everything = await sender.outcomes(200)
    assert statuses(everything) == {"sent": 200}
    assert sorted(gateway.sent) == sorted(each.delivery_id for each in asked)


async def test_only_as_many_are_claimed_as_there_are_slots(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked, answers = [released(f"m{number}") for number in range(50)], asyncio.Event()
    gateway.script = {each.delivery_id: [Accept(after=answers)] for each in asked}
    book = ledger("open")
    async with running(book, driver, gateway, limit=7) as sender:
        await sender.ask(*asked)
        await gateway.until(lambda seen: len(seen.calls) == 7)
        await sender.lane.pump()
        assert len(gateway.calls) == 7
        answers.set()
        await sender.outcomes(50)
    assert len(gateway.sent) == 50


async def test_a_replay_of_the_log_sends_nothing(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [released(f"m{number}") for number in range(20)]
    async with running(ledger("open"), driver, gateway) as sender:
        await sender.ask(*asked)
        await sender.outcomes(20)
        await sender.ask(*asked)
        await sender.ask(released("last"))
        await sender.outcomes(21)
    assert len(gateway.sent) == 21


async def test_replies_to_one_recipient_arrive_in_the_order_asked_for_over_a_retry(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [reply(f"m{number}") for number in range(4)]
    gateway.script[asked[1].delivery_id] = [Refuse(500, "transient")]
    async with running(ledger("reply"), driver, gateway) as sender:
        await sender.ask(*asked)
        await sender.outcomes(4)
    first, second, third, fourth = (each.delivery_id for each in asked)
    assert gateway.calls == [first, second, second, third, fourth]
    assert [event.status for event in sender.bus.inner.of(ReplySettled)] == ["sent"] * 4


async def test_a_reply_whose_answer_was_lost_is_found_and_not_sent_again(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    delivery = reply()
    gateway.script[delivery.delivery_id] = [Break(sent=True)]
    async with running(ledger("reply"), driver, gateway) as sender:
        await sender.ask(delivery)
        (outcome,) = await sender.outcomes(1)
    assert (outcome.status, gateway.calls, gateway.asked) == ("sent", [delivery.delivery_id], [delivery.delivery_id])


async def test_a_reply_that_the_gateway_did_not_get_is_sent_again(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    delivery = reply()
    gateway.script[delivery.delivery_id] = [Break(sent=False)]
    async with running(ledger("reply"), driver, gateway) as sender:
        await sender.ask(delivery)
        await sender.outcomes(1)
    assert gateway.sent == [delivery.delivery_id]


async def test_what_a_dead_sender_left_is_asked_for_and_only_the_unsent_is_sent(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [released(f"m{number}") for number in range(10)]
    dead = ledger("open", "dead", lease_seconds=0)
    claimed = (await dead.take_in(arriving(*asked), free=6)).claims
    gateway.sent += [claim.delivery.delivery_id for claim in claimed[:3]]
    async with running(ledger("open", "heir"), driver, gateway) as sender:
        assert statuses(await sender.outcomes(10)) == {"sent": 10}
    assert sorted(gateway.asked) == sorted(claim.delivery.delivery_id for claim in claimed)
    assert sorted(gateway.sent) == sorted(each.delivery_id for each in asked)


async def test_each_refused_release_ends_in_an_outcome_that_frees_its_place(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    codes = ["transient", "throttled", "profile_blocked", "recipient_invalid", "content_refused"]
    asked = [released(code, release=number) for number, code in enumerate(codes, start=1)]
    gateway.script = {each.delivery_id: [Refuse(400, each.message_id)] for each in asked}
    async with running(ledger("open"), driver, gateway) as sender:
        await sender.ask(*asked)
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
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    gateway.script[released().delivery_id] = [Refuse(500, "transient")]
    async with running(ledger("open"), driver, gateway) as sender:
        await sender.ask(released(release=1))
        await sender.outcomes(1)
        await sender.ask(released(release=2))
        outcomes = await sender.outcomes(2)
    assert [(outcome.release, outcome.status) for outcome in outcomes] == [(1, "deferred"), (2, "sent")]


async def test_a_release_that_comes_too_late_is_not_sent(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    async with running(ledger("open"), driver, gateway) as sender:
        sender.clock.forward(timedelta(hours=1))
        await sender.ask(released())
        (outcome,) = await sender.outcomes(1)
    assert (outcome.status, outcome.reason) == ("deferred", "too late: the rest window began")
    assert outcome.not_before == sender.clock()
    assert gateway.calls == []


async def test_a_profile_that_nobody_knows_sends_the_delivery_elsewhere(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    async with running(ledger("open"), driver, gateway, configured=Configured()) as sender:
        await sender.ask(released())
        (outcome,) = await sender.outcomes(1)
    assert (outcome.status, outcome.failure) == ("deferred", "profile")
    assert [event.tried for event in sender.bus.inner.of(DeliveryReturned)] == [("p1",)]


async def test_a_lease_that_would_not_outlast_the_call_is_renewed_before_it(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    answers = asyncio.Event()
    gateway.script[released().delivery_id] = [Accept(after=answers)]
    (claim,) = (await ledger("open", "me", lease_seconds=0).take_in(arriving(released()), free=1)).claims
    sending = send_with(ledger("open", "me", lease_seconds=60), driver, gateway)
    under_way = asyncio.create_task(sending(claim))
    await gateway.until(lambda seen: len(seen.calls) == 1)
    assert await ledger("open", "other").claim(1) == ()
    answers.set()
    assert isinstance(await under_way, Settled)


async def test_a_delivery_that_another_worker_has_taken_over_is_not_sent(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    (claim,) = (await ledger("open", "slow", lease_seconds=0).take_in(arriving(released()), free=1)).claims
    assert len(await ledger("open", "heir").claim(1)) == 1
    assert isinstance(await send_with(ledger("open", "slow"), driver, gateway)(claim), Doubtful)
    assert gateway.calls == []


async def test_a_sender_that_stops_gives_back_what_is_under_way_in_doubt(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    never, heir = asyncio.Event(), ledger("open", "heir")
    gateway.script[released().delivery_id] = [Accept(after=never)]
    async with running(ledger("open"), driver, gateway, drain_seconds=0) as sender:
        await sender.ask(released())
        await gateway.until(lambda seen: len(seen.calls) == 1)
    never.set()
    assert [claim.in_doubt for claim in await heir.claim(1)] == [True]


async def test_a_sender_that_stops_waits_for_the_calls_under_way(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    answers = asyncio.Event()
    gateway.script[released().delivery_id] = [Accept(after=answers)]
    async with running(ledger("open"), driver, gateway) as sender:
        await sender.ask(released())
        await gateway.until(lambda seen: len(seen.calls) == 1)
        stopping = asyncio.create_task(sender.lane.stop())
        answers.set()
        await stopping
    assert statuses(sender.bus.inner.published) == {"sent": 1}
    assert await ledger("open").unpublished(timedelta(0), 10) == []


async def test_events_that_kafka_did_not_confirm_are_published_again(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    book, lossy, healthy = ledger("open"), LossyBus(), WatchedBus()
    async with running(book, driver, gateway, bus=lossy) as sender:
        await sender.ask(released())
        await sender.outcomes(1)
    async with running(book, driver, gateway, bus=healthy) as sender:
        again = await sender.outcomes(1)
    assert again == lossy.inner.of(DeliveryOutcome)[:1]
    assert gateway.sent == [released().delivery_id]
    assert await book.unpublished(timedelta(0), 10) == []


async def test_a_gateway_that_is_away_keeps_no_other_profile_from_being_registered(
    driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    registration = Registration({"simulator": driver})
    near, far = profile(gateway.base_url, "near"), profile("http://gateway.invalid", "far")
    package = Package(package_id="pkg", version=1, name="pkg", profiles=(far, near))
    registration.on_change("pkg", PackageConfigured(package=package, at=NOON))
    with pytest.raises(Incomplete):
        await registration.turn()
    assert list(gateway.registered) == ["account-near"]
    moved = package.model_copy(update={"profiles": (profile(gateway.base_url, "far"), near)})
    gateway.registered.clear()
    registration.on_change("pkg", PackageConfigured(package=moved, at=NOON))
    await registration.turn()
    assert list(gateway.registered) == ["account-far"]


async def test_a_bus_that_is_away_delays_no_send(
    ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    away = WatchedBus(MemoryBus(NOON, away=True))
    async with running(ledger("open"), driver, gateway, limit=2, bus=away) as sender:
        await sender.ask(*(released(f"m{number}") for number in range(10)))
        await gateway.until(lambda seen: len(seen.calls) == 10)
        away.inner.away = False
        assert statuses(await sender.outcomes(10))["sent"] >= 10
