"""Cancellations: a delivery of a cancelled message is not sent, wherever the sender has it; a call that began ends."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import ClaimResult, SettledClaim
from sender.core.delivery import Delivery
from sender.core.slot_pool import FreeSlots
from sender.gateways.driver import Driver
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.cancellations import Cancellations
from sender.ledger.claim import FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import (
    NOON,
    PHONE,
    Accept,
    Break,
    FakeGateway,
    Refuse,
    batch_of,
    begin_calls,
    forgetting,
    released,
    reply,
)
from sender.testing.gateway_server import GatewayServer
from sender.testing.lane_runner import attempt_runner, run_lane, statuses
from spreader.consent import SUPPRESSED, ConsentFollower, ConsentTable
from spreader.contract.events import ConsentChanged, DeliveryOutcome, MessageCancelled
from spreader.kafka.guarded_consumer import Received
from spreader.testing import NoDeduplication

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
ONE = FreeSlots(1)
LIMIT = 20
CANCELLED = ("cancelled", "cancelled by the caller", 1)


async def cancel(engine: AsyncEngine, *message_ids: str) -> None:
    batch = [
        Received(MessageCancelled(package_id="pkg", message_id=name, at=NOON), MessageCancelled.topic, 0, offset)
        for offset, name in enumerate(message_ids)
    ]
    await Cancellations(engine, NoDeduplication()).on_cancelled(batch)


async def opt_out(engine: AsyncEngine) -> None:
    change = ConsentChanged(
        package_id="pkg", recipient=PHONE, kind="suppression", listed=True, source="customer", at=NOON
    )
    follower = ConsentFollower(engine, NoDeduplication(), ConsentTable("sender"))
    await follower.on_changed([Received(change, change.topic, 0, 0)])


def outcome_of(result: ClaimResult) -> tuple[str, str | None, int | None]:
    assert isinstance(result, SettledClaim)
    (outcome,) = (event for event in result.events if isinstance(event, DeliveryOutcome))
    return outcome.status, outcome.reason, outcome.release


async def process(ledger: DeliveryLedger, driver: Driver, gateway: FakeGateway) -> tuple[str, str | None, int | None]:
    """Claims the delivery, and runs and settles it; returns its outcome."""
    (claim,) = await ledger.claim(ONE)
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    assert await ledger.write([FinishedClaim(claim, result)]) == {claim.key}
    return outcome_of(result)


async def test_a_delivery_that_waits_in_the_sender_is_cancelled_without_a_call(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    ledger = make_ledger("open")
    await ledger.take_in(batch_of(released()), FreeSlots(0))
    await cancel(engine, "m1", "m1", "another")
    assert await process(ledger, driver, gateway) == CANCELLED
    assert (gateway.calls, await ledger.claim(ONE)) == ([], ())


async def test_a_cancellation_that_is_read_before_the_release_holds(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """Also for the next release of a delivery that its gateway had deferred."""
    gateway.script[released().delivery_id] = [Refuse(429, "throttled")]
    ledger = make_ledger("open")
    await ledger.take_in(batch_of(released()), FreeSlots(0))
    assert (await process(ledger, driver, gateway))[0] == "deferred"
    await cancel(engine, "m1")
    await ledger.take_in(batch_of(released(release=2), first=1), FreeSlots(0))
    assert await process(ledger, driver, gateway) == ("cancelled", "cancelled by the caller", 2)
    assert len(gateway.calls) == 1


@pytest.mark.parametrize(
    ("stop", "expected"),
    [("cancel", CANCELLED), ("opt out", ("suppressed", SUPPRESSED, 1))],
)
async def test_a_stop_between_the_claim_and_the_call_holds(
    make_ledger: MakeLedger,
    engine: AsyncEngine,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    stop: str,
    expected: tuple[str, str | None, int | None],
) -> None:
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), ONE)).claims
    await (cancel(engine, "m1") if stop == "cancel" else opt_out(engine))
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    assert (outcome_of(result), gateway.calls) == (expected, [])
    assert await ledger.write([FinishedClaim(claim, result)]) == {claim.key}


async def test_a_delivery_of_the_previous_version_is_cancelled_when_its_call_would_begin(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """That version does not store the message of a delivery."""
    ledger = make_ledger("open")
    await ledger.take_in(batch_of(released()), FreeSlots(0))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE sender.delivery SET message_id = NULL"))
    await cancel(engine, "m1")
    assert (await process(ledger, driver, gateway), gateway.calls) == (CANCELLED, [])


@pytest.mark.parametrize(
    ("stop", "arrived", "expected"),
    [
        ("cancel", False, "cancelled"),
        ("cancel", True, "sent"),
        ("opt out", False, "suppressed"),
        ("opt out", True, "sent"),
    ],
)
async def test_a_stopped_delivery_in_doubt_is_looked_up_first(
    make_ledger: MakeLedger,
    engine: AsyncEngine,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    stop: str,
    arrived: bool,
    expected: str,
) -> None:
    dead = make_ledger("open", "dead", lease_seconds=0)
    await begin_calls(dead, *(await dead.take_in(batch_of(released()), ONE)).claims)
    gateway.sent += [released().delivery_id] if arrived else []
    await (cancel(engine, "m1") if stop == "cancel" else opt_out(engine))
    assert (await process(make_ledger("open"), driver, gateway))[0] == expected
    assert (gateway.lookups, gateway.calls) == ([released().delivery_id], [])


@pytest.mark.parametrize("stop", ["cancel", "opt out"])
async def test_a_stopped_delivery_that_may_have_arrived_is_unknown(
    make_ledger: MakeLedger, engine: AsyncEngine, drivers: dict[str, Driver], server: GatewayServer, stop: str
) -> None:
    """Its gateway cannot be asked."""
    dead = make_ledger("open", "dead", lease_seconds=0)
    await begin_calls(dead, *(await dead.take_in(batch_of(released()), ONE)).claims)
    await (cancel(engine, "m1") if stop == "cancel" else opt_out(engine))
    gateway = FakeGateway(base_url=server.base_url)
    assert (await process(make_ledger("open"), drivers["waha"], gateway))[0] == "unknown"
    assert server.sends == []


@pytest.mark.parametrize("answer", ["accepted", "broken"])
async def test_a_call_that_has_begun_ends_as_it_does(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway, answer: str
) -> None:
    answers = asyncio.Event()
    script = Accept(after=answers) if answer == "accepted" else Break(sent=True)
    gateway.script[released().delivery_id] = [script]
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), ONE)).claims
    running = asyncio.create_task(attempt_runner(ledger, driver, gateway).run(claim))
    await gateway.until(lambda seen: len(seen.calls) == 1)
    await cancel(engine, "m1")
    answers.set()
    result = await running
    if answer == "broken":
        assert not isinstance(result, SettledClaim)
        await ledger.write([FinishedClaim(claim, result)])
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE sender.delivery SET due_at = statement_timestamp()"))
        assert (await process(ledger, driver, gateway))[0] == "sent"
    else:
        assert outcome_of(result)[0] == "sent"


async def test_replies_are_sent_whatever_is_cancelled(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    await cancel(engine, "m1")
    await opt_out(engine)
    ledger = make_ledger("reply")
    await ledger.take_in(batch_of(reply()), FreeSlots(0))
    assert (await process(ledger, driver, gateway))[0] == "sent"


async def test_after_a_cancellation_is_committed_no_further_call_begins(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """The cancellation comes while many calls begin: what is sent is exactly what had begun before it."""
    deliveries: list[Delivery] = [released("m1", f"2010{number:08}") for number in range(6 * LIMIT)]
    answers = asyncio.Event()
    gateway.script = {delivery.delivery_id: [Accept(after=answers)] for delivery in deliveries}
    async with run_lane(make_ledger("open"), driver, gateway, limit=LIMIT) as sender:
        await sender.receive(*deliveries)
        await gateway.until(lambda seen: len(seen.calls) >= LIMIT // 4)
        await cancel(engine, "m1")
        async with engine.connect() as connection:
            begun = await connection.execute(text("SELECT delivery_id FROM sender.delivery WHERE state = 'sending'"))
        answers.set()
        ended = await sender.outcomes(len(deliveries))
    sent = sorted(outcome.delivery_id for outcome in ended if outcome.status == "sent")
    assert sent == sorted(begun.scalars()) == sorted(gateway.sent)
    assert statuses(ended) == {"sent": len(sent), "cancelled": len(deliveries) - len(sent)}


async def test_old_cancellations_are_deleted_in_pieces_unless_a_delivery_still_needs_them(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """The sender was away for long, and the first thing that it does is to forget."""
    ledger, retention = make_ledger("open"), forgetting(engine, timedelta(0))
    await ledger.take_in(batch_of(released()), FreeSlots(0))
    await cancel(engine, "m1", *(f"old-{number}" for number in range(5)))
    assert await forgetting(engine, timedelta(days=1)).delete_old(3) == 0
    assert [await retention.delete_old(3) for _ in range(3)] == [3, 3, 0]
    assert await process(ledger, driver, gateway) == CANCELLED
    assert await retention.delete_old(3) == 1
