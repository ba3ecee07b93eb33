"""Deliveries in doubt at WAHA and Evolution: a message that the gateway shows ends the doubt; no other one does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import RetryLater, SettledClaim
from sender.core.delivery import Delivery
from sender.core.slot_pool import FreeSlots
from sender.dispatch.attempt import AttemptRunner
from sender.gateways.driver import Driver
from sender.ledger.call_starts import CallStarts
from sender.ledger.claim import FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, PHONE, FixedPackages, batch_of, released, reply
from sender.testing.gateway_server import GatewayServer, HangUp, RecordedRequest, Respond, profile_at
from spreader.contract.configuration import Driver as Name
from spreader.contract.events import Lane
from spreader.testing import ManualClock

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
DRIVERS: tuple[Name, ...] = ("waha", "evolution")
SECONDS = int(NOON.timestamp())
TEXT = getattr(reply().content, "text", "")


def shows(text: str | None) -> Callable[[RecordedRequest], Respond]:
    """A gateway that hangs up at each send, and then shows a message with this text, or none."""

    def respond(request: RecordedRequest) -> Respond:
        if request.path.startswith("/api/default/chats/"):
            item = {"id": f"true_{PHONE}@c.us_3EB0AA", "timestamp": SECONDS, "fromMe": True, "body": text}
            return Respond(200, [] if text is None else [item])
        if request.path.startswith("/chat/findMessages/"):
            key = {"id": "3EB0AA", "fromMe": True, "remoteJid": f"{PHONE}@s.whatsapp.net"}
            record = {"key": key, "message": {"conversation": text}, "messageTimestamp": SECONDS}
            return Respond(200, {"messages": {"records": [] if text is None else [record]}})
        return Respond(200, {"numberExists": True, "chatId": f"{PHONE}@c.us"})

    return respond


def delivery_in(lane: Lane, name: str = "m1") -> Delivery:
    return reply(name) if lane == "reply" else released(name)


async def outcome(
    ledger: DeliveryLedger, drivers: dict[str, Driver], server: GatewayServer, driver: Name, delivery: Delivery
) -> list[SettledClaim]:
    """How the delivery ends, if its first call is broken off."""
    profiles = SenderConfigCache(FixedPackages((profile_at(driver, server.base_url),)))
    runner = AttemptRunner(ledger, profiles, drivers, ManualClock(NOON), 1.0, Random(1), CallStarts(ledger), 30)
    claims = (await ledger.take_in(batch_of(delivery), FreeSlots(1))).claims
    ends: list[SettledClaim] = []
    for _ in range(5):
        if not claims:
            return ends
        result = await runner.run(claims[0])
        if isinstance(result, SettledClaim):
            ends.append(result)
        else:
            assert not isinstance(result, RetryLater)
            result = replace(result, after=timedelta(0))
        await ledger.write([FinishedClaim(claims[0], result)])
        claims = await ledger.claim(FreeSlots(1))
    raise AssertionError("it does not end")


def breaks_off(server: GatewayServer, text: str | None) -> None:
    answer = shows(text)

    def respond(request: RecordedRequest) -> Any:
        return HangUp() if request in server.sends else answer(request)

    server.default = respond


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_a_message_that_the_gateway_shows_was_sent(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, driver: Name, lane: Lane
) -> None:
    breaks_off(server, TEXT)
    (end,) = await outcome(make_ledger(lane), drivers, server, driver, delivery_in(lane))
    assert (end.status, end.gateway_message_id, len(server.sends)) == ("sent", "3EB0AA", 1)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("text", [None, "Something else"])
async def test_a_message_that_is_not_shown_stays_in_doubt(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, driver: Name, text: str | None
) -> None:
    breaks_off(server, text)
    (opened,) = await outcome(make_ledger("open"), drivers, server, driver, delivery_in("open"))
    assert (opened.status, len(server.sends)) == ("unknown", 1)
    (replied,) = await outcome(make_ledger("reply"), drivers, server, driver, delivery_in("reply", "m2"))
    assert (replied.status, len(server.sends)) == ("unknown", 3)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_with_another_delivery_to_the_recipient_the_message_proves_nothing(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer, driver: Name
) -> None:
    breaks_off(server, TEXT)
    other = make_ledger("reply", "worker-b")
    await other.take_in(batch_of(reply("other")), FreeSlots(0))
    (end,) = await outcome(make_ledger("open"), drivers, server, driver, delivery_in("open"))
    assert (end.status, len(server.sends)) == ("unknown", 1)


async def test_a_settled_delivery_counts_as_another_one_for_some_time(make_ledger: MakeLedger) -> None:
    ledger, hour = make_ledger("open"), timedelta(hours=1)
    (claim,) = (await ledger.take_in(batch_of(released("other")), FreeSlots(1))).claims
    assert not await ledger.is_only_delivery(released(), {PHONE}, timedelta(0))
    assert await ledger.is_only_delivery(released(), {"201999999999"}, hour)
    assert await ledger.is_only_delivery(released("other"), {PHONE}, hour)
    sent = SettledClaim("sent", (), "3EB0AA")
    await ledger.write([FinishedClaim(claim, sent)])
    assert not await ledger.is_only_delivery(released(), {PHONE}, hour)
    assert await ledger.is_only_delivery(released(), {PHONE}, timedelta(0))
