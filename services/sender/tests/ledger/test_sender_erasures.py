"""Erasures in the sender: what has not been called is cancelled, and the number leaves every table."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.sql_search import tables_with
from sender.core.claim_result import ClaimResult, SettledClaim
from sender.core.slot_pool import FreeSlots
from sender.gateways.postgres import CheckedNumber, PostgresNumbers
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.erasures import REMOVALS, WAITS
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, PHONE, FakeGateway, batch_of, begin_calls, released, reply
from sender.testing.lane_runner import attempt_runner
from spreader.consent import ConsentFollower, ConsentTable
from spreader.contract.events import ConsentChanged, ConsentKind, DeliveryOutcome, ErasureReported, RecipientErased
from spreader.contract.ids import ERASED
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.guarded_consumer import Received
from spreader.testing import MemoryBus, NoDeduplication

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
ONE, NONE = FreeSlots(1), FreeSlots(0)
CANCELLED = ("cancelled", ERASED, "the recipient was erased")


async def erase(engine: AsyncEngine, keep: bool = True) -> Sequence[ErasureReported]:
    bus = MemoryBus(NOON)
    eraser = Eraser(engine, ErasureTable("sender"), lambda: NOON, REMOVALS, report_to(bus), WAITS)
    event = RecipientErased(erasure_id="ers_1", recipient=PHONE, keep_suppression=keep, at=NOON)
    await eraser.on_erased([Received(event, event.topic, 0, 0)])
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE sender.erasure SET look_at = now()"))
    for _ in range(5):
        await eraser.run_once()
    return bus.of(ErasureReported)


async def traces(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return await tables_with(connection, PHONE, "sender")


def outcome_of(result: ClaimResult) -> tuple[str, str, str | None]:
    assert isinstance(result, SettledClaim)
    (outcome,) = (event for event in result.events if isinstance(event, DeliveryOutcome))
    return outcome.status, outcome.recipient, outcome.reason


async def settle(ledger: DeliveryLedger, claim: Claim, result: ClaimResult) -> None:
    """As the ledger and its outbox do."""
    assert await ledger.write([FinishedClaim(claim, result)]) == {claim.key}
    await ledger.mark_published([claim.key])


@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_a_delivery_that_waits_is_cancelled_without_a_call(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway, lane: str
) -> None:
    ledger = make_ledger(lane)
    await ledger.take_in(batch_of(released() if lane == "open" else reply()), NONE)
    assert [report.rows for report in await erase(engine)] == [{"sender.delivery": 1}]
    assert await traces(engine) == set()
    (claim,) = await ledger.claim(ONE)
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    assert (outcome_of(result), gateway.calls) == (CANCELLED, [])
    await settle(ledger, claim, result)


async def test_a_delivery_that_is_claimed_is_cancelled_before_its_call(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), ONE)).claims
    assert await erase(engine) == []
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    assert (outcome_of(result)[::2], gateway.calls) == (CANCELLED[::2], [])
    await settle(ledger, claim, result)
    assert (len(await erase(engine)), await traces(engine)) == (1, set())


async def test_a_call_that_has_begun_ends_first(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), ONE)).claims
    (called,) = await begin_calls(ledger, claim)
    assert (await erase(engine), await traces(engine)) == ([], {"sender.delivery", "sender.erasure"})
    await settle(ledger, called, SettledClaim("sent", (), "wamid-1"))
    assert (len(await erase(engine)), await traces(engine)) == (1, set())
    async with engine.connect() as connection:
        (row,) = (
            await connection.execute(text("SELECT recipient, status, gateway_message_id FROM sender.delivery"))
        ).all()
    assert tuple(row) == (ERASED, "sent", None)


async def test_what_was_requested_before_and_arrives_later_is_cancelled(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """Also in a replay, after the erasure has ended."""
    assert len(await erase(engine)) == 1
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), ONE)).claims
    assert outcome_of(await attempt_runner(ledger, driver, gateway).run(claim)) == CANCELLED
    assert (gateway.calls, await traces(engine)) == ([], set())


async def test_a_message_that_is_requested_later_is_sent(
    make_ledger: MakeLedger, engine: AsyncEngine, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    ledger = make_ledger("reply")
    await ledger.take_in(batch_of(reply().model_copy(update={"requested_at": NOON + timedelta(seconds=1)})), NONE)
    assert [report.rows for report in await erase(engine)] == [{}]
    (claim,) = await ledger.claim(ONE)
    result = await attempt_runner(ledger, driver, gateway).run(claim)
    assert (outcome_of(result)[:2], len(gateway.calls)) == (("sent", PHONE), 1)


@pytest.mark.parametrize("keep", [True, False])
async def test_consents_and_checked_numbers_go_and_a_kept_suppression_stays(engine: AsyncEngine, keep: bool) -> None:
    numbers = PostgresNumbers(engine)
    await numbers.keep(CheckedNumber(PHONE, True, NOON, PHONE))
    await numbers.keep(CheckedNumber("5511987654321", True, NOON, PHONE))
    lists: list[tuple[str, ConsentKind, bool]] = [
        ("a", "opt_in", True), ("a", "suppression", True), ("b", "suppression", False)
    ]  # fmt: skip
    changes = [
        ConsentChanged(package_id=package_id, recipient=PHONE, kind=kind, listed=listed, source="api", at=NOON)
        for package_id, kind, listed in lists
    ]
    follower = ConsentFollower(engine, NoDeduplication(), ConsentTable("sender"))
    await follower.on_changed([Received(change, change.topic, 0, offset) for offset, change in enumerate(changes)])
    assert await traces(engine) == {"sender.number", "sender.consent", "sender.consent_removal"}
    (report,) = await erase(engine, keep)
    assert report.rows == {"sender.number": 2, "sender.consent": 1 if keep else 2, "sender.consent_removal": 1}
    assert await traces(engine) == ({"sender.consent"} if keep else set())
    await numbers.keep(CheckedNumber(PHONE, True, NOON, PHONE))  # a check that began before the erasure
    assert await traces(engine) == ({"sender.consent"} if keep else set())
