"""Stories of calls: what the ledger says before and during them, and a sender that was without Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from local.process.ports import free_port
from local.servers.postgres import OTHERS
from sender.config_cache import SenderConfigCache
from sender.core.claim_result import ClaimResult, RetryLater, SettledClaim, StillInDoubt
from sender.core.delivery import Delivery
from sender.core.slot_pool import FreeSlots
from sender.dispatch.attempt import START_WAIT, AttemptRunner
from sender.gateways.driver import Driver
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.call_starts import CallStarts
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, PHONE, Accept, FakeGateway, FixedPackages, batch_of, released, reply
from sender.testing.contents import DRIVERS
from sender.testing.gateway_server import GatewayServer, profile_at
from sender.testing.lane_runner import attempt_runner, run_lane, statuses
from spreader.contract.configuration import Driver as DriverName
from spreader.contract.events import Lane
from spreader.telemetry.metrics import LOOP_FAILURES
from spreader.testing import ManualClock

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
LANES: tuple[Lane, ...] = ("open", "reply")


def delivery_in(lane: Lane, name: str = "m1", recipient: str = PHONE) -> Delivery:
    return reply(name, recipient) if lane == "reply" else released(name, recipient)


async def state_of(engine: AsyncEngine) -> str:
    async with engine.connect() as connection:
        return (await connection.execute(text("SELECT state FROM sender.delivery"))).scalar_one()


@asynccontextmanager
async def without_postgres(engine: AsyncEngine) -> AsyncGenerator[None]:
    """Inside, the database accepts no connections, and those that were open are ended."""
    name, url = engine.url.database, engine.url.set(drivername="postgresql")
    inside = await asyncpg.connect(url.render_as_string(hide_password=False))
    outside = await asyncpg.connect(url.set(database="postgres").render_as_string(hide_password=False))
    try:
        await outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await inside.execute(OTHERS)
        await inside.close()
        yield
    finally:
        await outside.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await outside.close()


def failures(loop: str) -> float:
    return LOOP_FAILURES.labels(loop)._value.get()  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("lane", LANES)
async def test_the_ledger_says_that_the_call_begins_before_the_request_is_written(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway, lane: Lane
) -> None:
    answers, delivery = asyncio.Event(), delivery_in(lane)
    gateway.script[delivery.delivery_id] = [Accept(after=answers)]
    async with run_lane(make_ledger(lane), driver, gateway) as sender:
        await sender.receive(delivery)
        await gateway.until(lambda seen: len(seen.calls) == 1)
        assert await state_of(engine) == "sending"
        answers.set()
        await sender.outcomes(1)


async def test_while_the_start_of_a_call_cannot_be_written_no_request_goes_out(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), FreeSlots(1))).claims
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE sender.delivery RENAME TO gone"))
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE sender.gone RENAME TO delivery"))
    assert (result, gateway.calls) == (RetryLater(START_WAIT), [])


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", DRIVERS)
async def test_a_delivery_whose_sender_died_before_its_call_is_sent_once_through_any_gateway(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, lane: Lane, name: DriverName
) -> None:
    dead, heir = make_ledger(lane, "dead", lease_seconds=0), make_ledger(lane, "heir")
    delivery = delivery_in(lane)
    await dead.take_in(batch_of(delivery), FreeSlots(1))
    (claim,) = await heir.claim(FreeSlots(1))
    result = await runner_at(heir, drivers, server, name).run(claim)
    assert isinstance(result, SettledClaim)
    assert (result.status, len(server.sends)) == ("sent", 1)


async def test_a_gateway_that_cannot_be_reached_leaves_no_doubt(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver
) -> None:
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), FreeSlots(1))).claims
    gateway = FakeGateway(base_url=f"http://127.0.0.1:{free_port()}")
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    assert isinstance(result, SettledClaim)
    assert (result.status, await state_of(engine)) == ("deferred", "claimed")


@pytest.mark.parametrize("lane", LANES)
async def test_a_sender_frozen_between_claim_and_call_does_not_call_after_another_has_claimed(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway, lane: Lane
) -> None:
    frozen, heir = make_ledger(lane, "frozen", lease_seconds=0), make_ledger(lane, "heir")
    (old,) = (await frozen.take_in(batch_of(delivery_in(lane)), FreeSlots(1))).claims
    (new,) = await heir.claim(FreeSlots(1))
    results: list[ClaimResult] = [
        await attempt_runner(frozen, driver, gateway).run(old),
        await attempt_runner(heir, driver, gateway).run(new),
        await attempt_runner(frozen, driver, gateway).run(old),
    ]
    assert [isinstance(result, StillInDoubt) for result in results] == [True, False, True]
    assert len(gateway.calls) == 1


async def test_a_sender_never_claims_what_it_is_still_sending(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    answers = asyncio.Event()
    gateway.script[released().delivery_id] = [Accept(after=answers)]
    async with run_lane(make_ledger("open", lease_seconds=0), driver, gateway) as sender:
        await sender.receive(released())
        await gateway.until(lambda seen: len(seen.calls) == 1)
        await sender.dispatcher.claim_due()
        answers.set()
        assert statuses(await sender.outcomes(1)) == {"sent": 1}
    assert (len(gateway.calls), gateway.lookups) == (1, [])


@pytest.mark.parametrize("lane", LANES)
async def test_answers_that_came_while_postgres_was_away_are_written_before_anything_is_claimed(
    make_ledger: MakeLedger,
    engine: AsyncEngine,
    driver: SimulatorDriver,
    gateway: FakeGateway,
    lane: Lane,
) -> None:
    """Their leases end in the outage."""
    asked = [delivery_in(lane, f"m{number}", f"20100000000{number}") for number in range(8)]
    answers, ledger = asyncio.Event(), make_ledger(lane, lease_seconds=0)
    gateway.script = {delivery.delivery_id: [Accept(after=answers)] for delivery in asked}
    async with run_lane(ledger, driver, gateway) as sender:
        await sender.receive(*asked)
        await gateway.until(lambda seen: len(seen.calls) == len(asked))
        before = failures(f"results of the {lane} lane")
        async with without_postgres(engine):
            answers.set()
            while failures(f"results of the {lane} lane") == before:
                await look_for_postgres(engine)
            with pytest.raises((DBAPIError, asyncpg.PostgresError)):
                await sender.dispatcher.claim_due()
        await sender.dispatcher.claim_due()
        assert statuses(await sender.outcomes(len(asked))) == {"sent": len(asked)}
    assert (sorted(gateway.calls), gateway.lookups) == (sorted(delivery.delivery_id for delivery in asked), [])


async def test_while_a_result_cannot_be_written_nothing_more_is_claimed(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE sender.unpublished RENAME TO gone"))
        before = failures("results of the open lane")
        await sender.receive(released("m1"))
        while failures("results of the open lane") < before + 6:  # the waits between them are longer than a second
            await look_for_postgres(engine)
        await sender.receive(released("m2"))
        await sender.dispatcher.claim_due()
        assert gateway.calls == [released("m1").delivery_id]
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE sender.gone RENAME TO unpublished"))
        assert statuses(await sender.outcomes(2)) == {"sent": 2}


async def look_for_postgres(engine: AsyncEngine) -> None:
    with contextlib.suppress(Exception):
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


def runner_at(
    ledger: DeliveryLedger, drivers: dict[str, Driver], server: GatewayServer, name: DriverName
) -> AttemptRunner:
    profiles = SenderConfigCache(FixedPackages((profile_at(name, server.base_url),)))
    return AttemptRunner(ledger, profiles, drivers, ManualClock(NOON), 1.0, Random(1), CallStarts(ledger), 30)
