"""Doubt at a gateway that cannot be asked: what is sent again, how often, and what its own report settles."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from zlib import crc32

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import RetryLater, SettledClaim, StillInDoubt
from sender.core.concurrency import FreeSlots
from sender.core.decision import RECEIPT_WAIT
from sender.core.delivery import Delivery
from sender.dispatch.attempt import AttemptRunner
from sender.gateways.driver import Driver
from sender.gateways.receipts import ReceiptHandler
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, FixedPackages, batch_of, released, reply
from sender.testing.gateway_server import GatewayServer, HangUp, Respond, ScriptedAnswer, profile_at
from spreader.contract.events import DeliveryOutcome, Lane, Status
from spreader.kafka.guarded_consumer import Received
from spreader.testing import ManualClock, NoDeduplication

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
REFUSED = Respond(400, {"error": {"code": 135000, "message": "Generic user error"}})
STUMBLED = Respond(500, {"error": {"code": 131000, "message": "Something went wrong"}})
"""Meta does not promise that it did not send it."""
NO_WAIT = timedelta(0)


def sending_through(book: DeliveryLedger, drivers: dict[str, Driver], wire: GatewayServer) -> AttemptRunner:
    profiles = SenderConfigCache(FixedPackages((profile_at("cloud_api", wire.base_url),)))
    return AttemptRunner(book, profiles, drivers, ManualClock(NOON), 1.0, Random(1), call_seconds=30)


def asked_for(lane: Lane, name: str = "m1") -> Delivery:
    return reply(name, recipient=f"2010{crc32(name.encode()):010}") if lane == "reply" else released(name)


async def carry(book: DeliveryLedger, sending: AttemptRunner, claim: Claim) -> str:
    """One turn of a delivery, written without its wait; answers what it came to."""
    fate = await sending.run(claim)
    await book.write([FinishedClaim(claim, fate if isinstance(fate, SettledClaim) else replace(fate, after=NO_WAIT))])
    match fate:
        case SettledClaim(status):
            return status
        case StillInDoubt():
            return "doubt"
        case RetryLater():
            return "again"


async def carried(book: DeliveryLedger, sending: AttemptRunner, asked: Delivery) -> list[str]:
    """What it comes to, turn by turn, until it is settled."""
    claims = (await book.take_in(batch_of(asked), FreeSlots(1))).claims
    said: list[str] = []
    while claims:
        said.append(await carry(book, sending, claims[0]))
        claims = await book.claim(FreeSlots(1))
    return said


async def hear(
    engine: AsyncEngine, asked: Delivery, status: Status, gateway_message_id: str | None = "wamid.reported"
) -> None:
    told = DeliveryOutcome(
        package_id="pkg", message_id=asked.message_id, delivery_id=asked.delivery_id, recipient=asked.recipient,
        lane="reply", status=status, at=NOON, gateway_message_id=gateway_message_id,
    )  # fmt: skip
    await ReceiptHandler(engine, NoDeduplication()).on_outcomes([Received(told, told.topic, 0, 0)])


@pytest.mark.parametrize(
    ("lane", "script", "said", "sends"),
    [
        ("open", [HangUp()], ["doubt", "unknown"], 1),
        ("reply", [HangUp()], ["doubt", "sent"], 2),
        ("reply", [HangUp(), HangUp()], ["doubt", "doubt", "unknown"], 2),
        ("open", [STUMBLED], ["doubt", "unknown"], 1),
        ("reply", [STUMBLED], ["doubt", "sent"], 2),
        ("reply", [STUMBLED, STUMBLED], ["doubt", "doubt", "unknown"], 2),
        # What was surely not taken does not count: the second that may have arrived is still to come.
        ("reply", [HangUp(), REFUSED], ["doubt", "doubt", "sent"], 3),
        ("reply", [HangUp(), REFUSED, HangUp()], ["doubt", "doubt", "doubt", "unknown"], 3),
        ("reply", [REFUSED, HangUp(), HangUp()], ["again", "doubt", "doubt", "unknown"], 3),
    ],
)
async def test_a_reply_may_arrive_twice_and_an_open_delivery_once(
    ledger: MakeLedger,
    drivers: dict[str, Driver],
    wire: GatewayServer,
    lane: Lane,
    script: list[ScriptedAnswer],
    said: list[str],
    sends: int,
) -> None:
    wire.will(*script)
    book = ledger(lane)
    assert await carried(book, sending_through(book, drivers, wire), asked_for(lane)) == said
    assert len(wire.sends) == sends


@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_it_waits_for_the_gateways_own_report(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer, lane: Lane
) -> None:
    wire.will(HangUp())
    book = ledger(lane)
    (claim,) = (await book.take_in(batch_of(asked_for(lane)), FreeSlots(1))).claims
    assert await sending_through(book, drivers, wire).run(claim) == StillInDoubt(RECEIPT_WAIT[lane])


@pytest.mark.parametrize("status", ["sent", "acknowledged", "delivered", "read"])
@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_what_the_gateway_reported_is_sent_and_not_sent_again(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer, engine: AsyncEngine, lane: Lane, status: Status
) -> None:
    wire.will(HangUp())
    book, asked = ledger(lane), asked_for(lane)
    sending = sending_through(book, drivers, wire)
    (claim,) = (await book.take_in(batch_of(asked), FreeSlots(1))).claims
    await carry(book, sending, claim)
    await hear(engine, asked, status)
    (again,) = await book.claim(FreeSlots(1))
    fate = await sending.run(again)
    assert isinstance(fate, SettledClaim)
    assert (fate.status, fate.gateway_message_id, len(wire.sends)) == ("sent", "wamid.reported", 1)


@pytest.mark.parametrize("status", ["failed", "held", "released", "deferred"])
async def test_other_outcomes_settle_no_doubt(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer, engine: AsyncEngine, status: Status
) -> None:
    wire.will(HangUp())
    book, asked = ledger("reply"), asked_for("reply")
    sending = sending_through(book, drivers, wire)
    (claim,) = (await book.take_in(batch_of(asked), FreeSlots(1))).claims
    await carry(book, sending, claim)
    await hear(engine, asked, status)
    (again,) = await book.claim(FreeSlots(1))
    assert again.reported_id is None


async def test_a_refusal_that_was_none_is_found_out_before_the_next_release(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer, engine: AsyncEngine
) -> None:
    """A gateway that says no after sending: its report comes while the pacer holds the delivery again."""
    wire.will(REFUSED)
    book = ledger("open")
    sending = sending_through(book, drivers, wire)
    (claim,) = (await book.take_in(batch_of(released()), FreeSlots(1))).claims
    assert await carry(book, sending, claim) == "deferred"
    await hear(engine, released(), "delivered", gateway_message_id=None)
    (again,) = (await book.take_in(batch_of(released(release=2), first=1), FreeSlots(1))).claims
    assert await carry(book, sending, again) == "sent"
    assert len(wire.sends) == 1


async def test_a_receipt_of_what_is_settled_or_unknown_changes_nothing(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer, engine: AsyncEngine
) -> None:
    book = ledger("reply")
    assert await carried(book, sending_through(book, drivers, wire), asked_for("reply")) == ["sent"]
    await hear(engine, asked_for("reply"), "read")
    await hear(engine, asked_for("reply", "never-seen"), "read")
    assert await book.claim(FreeSlots(1)) == ()


async def test_senders_that_die_at_any_moment_leave_replies_at_most_twice_and_open_deliveries_at_most_once(
    ledger: MakeLedger, drivers: dict[str, Driver], wire: GatewayServer
) -> None:
    """200 deaths at random: before the call, or between the request and the writing of its answer."""
    rng, deaths, written_and_lost = Random(7), 0, dict[str, int]()
    lanes: list[Lane] = ["reply", "open"]
    ended: dict[str, tuple[Lane, str]] = {}
    number = 0
    while deaths < 200:
        number += 1
        lane, name = lanes[number % 2], f"m{number}"
        asked, dying = asked_for(lane, name), ledger(lane, "dying", lease_seconds=0)
        claims = (await dying.take_in(batch_of(asked, first=number), FreeSlots(1))).claims
        while claims and rng.random() < 0.7:
            deaths += 1
            if rng.random() < 0.6:  # the request goes out, and nobody lives to write the answer
                before = len(wire.sends)
                await sending_through(dying, drivers, wire).run(claims[0])
                written_and_lost[name] = written_and_lost.get(name, 0) + len(wire.sends) - before
            claims = await dying.claim(FreeSlots(1))
        heir = ledger(lane, "heir")
        claims = claims and await heir.claim(FreeSlots(1))
        while claims:
            ended[name] = (lane, await carry(heir, sending_through(heir, drivers, wire), claims[0]))
            claims = await heir.claim(FreeSlots(1))
    arrived = dict.fromkeys(ended, 0)
    of = {asked_for(lane, name).delivery_id: name for name, (lane, _) in ended.items()}
    for send in wire.sends:
        arrived[of[send.body["biz_opaque_callback_data"]]] += 1
    for name, (lane, status) in ended.items():
        assert status in ("sent", "unknown")
        assert arrived[name] <= (2 if lane == "reply" else 1)
        assert arrived[name] < 2 or written_and_lost.get(name, 0) >= 1
        assert lane == "open" or arrived[name] >= 1
    assert sum(count == 2 for count in arrived.values()) > 10
    assert sum(status == "unknown" for _, status in ended.values()) > 10
