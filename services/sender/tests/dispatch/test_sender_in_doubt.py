"""Deliveries in doubt at a gateway without lookup: what is sent again, how often, and how a receipt settles them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from zlib import crc32

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import RetryLater, SettledClaim, StillInDoubt
from sender.core.decision import RECEIPT_WAIT
from sender.core.delivery import Delivery
from sender.core.slot_pool import FreeSlots
from sender.dispatch.attempt import AttemptRunner
from sender.gateways.driver import Driver
from sender.gateways.receipts import ReceiptHandler
from sender.ledger.call_starts import CallStarts
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, FixedPackages, batch_of, released, reply
from sender.testing.gateway_server import GatewayServer, HangUp, Respond, ScriptedAnswer, profile_at
from spreader.contract.events import DeliveryOutcome, Lane, Status
from spreader.contract.ids import ERASED
from spreader.kafka.guarded_consumer import Received
from spreader.testing import ManualClock, NoDeduplication

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
REFUSED = Respond(400, {"error": {"code": 135000, "message": "Generic user error"}})
SERVER_ERROR = Respond(500, {"error": {"code": 131000, "message": "Something went wrong"}})
"""Meta does not promise that it has not sent the message."""
NO_WAIT = timedelta(0)


def runner_for(ledger: DeliveryLedger, drivers: dict[str, Driver], server: GatewayServer) -> AttemptRunner:
    profiles = SenderConfigCache(FixedPackages((profile_at("cloud_api", server.base_url),)))
    return AttemptRunner(ledger, profiles, drivers, ManualClock(NOON), 1.0, Random(1), CallStarts(ledger), 30)


def delivery_in(lane: Lane, name: str = "m1") -> Delivery:
    return reply(name, recipient=f"2010{crc32(name.encode()):010}") if lane == "reply" else released(name)


async def process(ledger: DeliveryLedger, runner: AttemptRunner, claim: Claim) -> str:
    """Processes a claim and writes the result without its wait; returns the status."""
    result = await runner.run(claim)
    await ledger.write(
        [FinishedClaim(claim, result if isinstance(result, SettledClaim) else replace(result, after=NO_WAIT))]
    )
    match result:
        case SettledClaim(status):
            return status
        case StillInDoubt():
            return "doubt"
        case RetryLater():
            return "again"


async def process_until_settled(ledger: DeliveryLedger, runner: AttemptRunner, delivery: Delivery) -> list[str]:
    """The status after each claim, until the delivery is settled."""
    claims = (await ledger.take_in(batch_of(delivery), FreeSlots(1))).claims
    statuses: list[str] = []
    while claims:
        statuses.append(await process(ledger, runner, claims[0]))
        claims = await ledger.claim(FreeSlots(1))
    return statuses


async def receive_receipt(
    engine: AsyncEngine, delivery: Delivery, status: Status, gateway_message_id: str | None = "wamid.reported"
) -> None:
    outcome = DeliveryOutcome(
        package_id="pkg",
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane="reply",
        status=status,
        at=NOON,
        gateway_message_id=gateway_message_id,
    )
    await ReceiptHandler(engine, NoDeduplication()).on_outcomes([Received(outcome, outcome.topic, 0, 0)])


@pytest.mark.parametrize(
    ("lane", "script", "expected", "sends"),
    [
        ("open", [HangUp()], ["doubt", "unknown"], 1),
        ("reply", [HangUp()], ["doubt", "sent"], 2),
        ("reply", [HangUp(), HangUp()], ["doubt", "doubt", "unknown"], 2),
        ("open", [SERVER_ERROR], ["doubt", "unknown"], 1),
        ("reply", [SERVER_ERROR], ["doubt", "sent"], 2),
        ("reply", [SERVER_ERROR, SERVER_ERROR], ["doubt", "doubt", "unknown"], 2),
        # A try that was certainly not sent does not count as the second one that may have arrived.
        ("reply", [HangUp(), REFUSED], ["doubt", "doubt", "sent"], 3),
        ("reply", [HangUp(), REFUSED, HangUp()], ["doubt", "doubt", "doubt", "unknown"], 3),
        ("reply", [REFUSED, HangUp(), HangUp()], ["again", "doubt", "doubt", "unknown"], 3),
    ],
)
async def test_a_reply_may_arrive_twice_and_an_open_delivery_once(
    make_ledger: MakeLedger,
    drivers: dict[str, Driver],
    server: GatewayServer,
    lane: Lane,
    script: list[ScriptedAnswer],
    expected: list[str],
    sends: int,
) -> None:
    server.will(*script)
    ledger = make_ledger(lane)
    assert await process_until_settled(ledger, runner_for(ledger, drivers, server), delivery_in(lane)) == expected
    assert len(server.sends) == sends


async def test_a_reply_in_doubt_is_not_sent_again_after_its_recipient_was_erased(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, engine: AsyncEngine
) -> None:
    server.will(HangUp())
    ledger = make_ledger("reply")
    runner = runner_for(ledger, drivers, server)
    (claim,) = (await ledger.take_in(batch_of(delivery_in("reply")), FreeSlots(1))).claims
    assert await process(ledger, runner, claim) == "doubt"
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE sender.delivery SET recipient = :erased"), {"erased": ERASED})
    (again,) = await ledger.claim(FreeSlots(1))
    assert (await process(ledger, runner, again), len(server.sends)) == ("unknown", 1)


@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_after_a_lost_answer_it_waits_for_the_gateways_own_report(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, lane: Lane
) -> None:
    server.will(HangUp())
    ledger = make_ledger(lane)
    (claim,) = (await ledger.take_in(batch_of(delivery_in(lane)), FreeSlots(1))).claims
    assert await runner_for(ledger, drivers, server).run(claim) == StillInDoubt(RECEIPT_WAIT[lane])


@pytest.mark.parametrize("status", ["sent", "acknowledged", "delivered", "read"])
@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_a_delivery_that_the_gateway_reported_counts_as_sent_and_is_not_sent_again(
    make_ledger: MakeLedger,
    drivers: dict[str, Driver],
    server: GatewayServer,
    engine: AsyncEngine,
    lane: Lane,
    status: Status,
) -> None:
    server.will(HangUp())
    ledger, delivery = make_ledger(lane), delivery_in(lane)
    runner = runner_for(ledger, drivers, server)
    (claim,) = (await ledger.take_in(batch_of(delivery), FreeSlots(1))).claims
    await process(ledger, runner, claim)
    await receive_receipt(engine, delivery, status)
    (again,) = await ledger.claim(FreeSlots(1))
    result = await runner.run(again)
    assert isinstance(result, SettledClaim)
    assert (result.status, result.gateway_message_id, len(server.sends)) == ("sent", "wamid.reported", 1)


@pytest.mark.parametrize("status", ["failed", "held", "released", "deferred"])
async def test_other_outcomes_settle_no_doubt(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, engine: AsyncEngine, status: Status
) -> None:
    server.will(HangUp())
    ledger, delivery = make_ledger("reply"), delivery_in("reply")
    runner = runner_for(ledger, drivers, server)
    (claim,) = (await ledger.take_in(batch_of(delivery), FreeSlots(1))).claims
    await process(ledger, runner, claim)
    await receive_receipt(engine, delivery, status)
    (again,) = await ledger.claim(FreeSlots(1))
    assert again.reported_id is None


async def test_a_wrong_refusal_is_discovered_before_the_next_release(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, engine: AsyncEngine
) -> None:
    """A gateway refuses after runner. Its report arrives while the pacer holds the delivery again."""
    server.will(REFUSED)
    ledger = make_ledger("open")
    runner = runner_for(ledger, drivers, server)
    (claim,) = (await ledger.take_in(batch_of(released()), FreeSlots(1))).claims
    assert await process(ledger, runner, claim) == "deferred"
    await receive_receipt(engine, released(), "delivered", gateway_message_id=None)
    (again,) = (await ledger.take_in(batch_of(released(release=2), first=1), FreeSlots(1))).claims
    assert await process(ledger, runner, again) == "sent"
    assert len(server.sends) == 1


async def test_a_receipt_for_a_settled_or_unknown_delivery_changes_nothing(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, engine: AsyncEngine
) -> None:
    ledger = make_ledger("reply")
    assert await process_until_settled(ledger, runner_for(ledger, drivers, server), delivery_in("reply")) == ["sent"]
    await receive_receipt(engine, delivery_in("reply"), "read")
    await receive_receipt(engine, delivery_in("reply", "never-seen"), "read")
    assert await ledger.claim(FreeSlots(1)) == ()


async def test_senders_that_crash_at_any_time_send_replies_at_most_twice_and_open_deliveries_at_most_once(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    """200 crashes at random: before the call, or between the request and the write of its result."""
    rng, deaths, written_and_lost = Random(7), 0, dict[str, int]()
    lanes: list[Lane] = ["reply", "open"]
    ended: dict[str, tuple[Lane, str]] = {}
    number = 0
    while deaths < 200:
        number += 1
        lane, name = lanes[number % 2], f"m{number}"
        delivery, dying = delivery_in(lane, name), make_ledger(lane, "dying", lease_seconds=0)
        claims = (await dying.take_in(batch_of(delivery, first=number), FreeSlots(1))).claims
        while claims and rng.random() < 0.7:
            deaths += 1
            if rng.random() < 0.6:  # the request goes out, and the sender dies before it writes the result
                before = len(server.sends)
                await runner_for(dying, drivers, server).run(claims[0])
                written_and_lost[name] = written_and_lost.get(name, 0) + len(server.sends) - before
            claims = await dying.claim(FreeSlots(1))
        heir = make_ledger(lane, "heir")
        claims = claims and await heir.claim(FreeSlots(1))
        while claims:
            ended[name] = (lane, await process(heir, runner_for(heir, drivers, server), claims[0]))
            claims = await heir.claim(FreeSlots(1))
    arrived = dict.fromkeys(ended, 0)
    names = {delivery_in(lane, name).delivery_id: name for name, (lane, _) in ended.items()}
    for send in server.sends:
        arrived[names[send.body["biz_opaque_callback_data"]]] += 1
    for name, (lane, status) in ended.items():
        assert status in ("sent", "unknown")
        assert arrived[name] <= (2 if lane == "reply" else 1)
        assert arrived[name] < 2 or written_and_lost.get(name, 0) >= 1
        assert lane == "open" or arrived[name] >= 1
    assert sum(count == 2 for count in arrived.values()) > 10
    assert sum(status == "unknown" for _, status in ended.values()) > 10
