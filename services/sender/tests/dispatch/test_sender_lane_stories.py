"""Stories of a whole lane: dispatcher, ledger, sends, results and events, with a real Postgres and real HTTP."""

import asyncio
from collections.abc import Callable

import pytest

from sender.gateways.driver import Driver
from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import (
    Accept,
    Break,
    FakeGateway,
    FixedPackages,
    Refuse,
    released,
    reply,
)
from sender.testing.gateway_server import GatewayServer, Respond, profile_at
from sender.testing.lane_runner import run_lane, statuses
from spreader.contract.events import DeliveryReturned, ReplySettled
from spreader.text.clean_text import clean_id

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]


async def test_no_delivery_waits_behind_a_slow_one(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [released(f"m{number}") for number in range(200)]
    slow, answers = {each.delivery_id for each in asked[::10]}, asyncio.Event()
    gateway.script = {each: [Accept(after=answers)] for each in slow}
    async with run_lane(make_ledger("open"), driver, gateway, limit=32) as sender:
        await sender.receive(*asked)
        fast = await sender.outcomes(180)
        assert {outcome.delivery_id for outcome in fast} == {each.delivery_id for each in asked} - slow
        await gateway.until(lambda seen: slow <= set(seen.calls))
        answers.set()
        everything = await sender.outcomes(200)
    assert statuses(everything) == {"sent": 200}
    assert sorted(gateway.sent) == sorted(each.delivery_id for each in asked)


async def test_no_more_deliveries_are_claimed_than_there_are_slots(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked, answers = [released(f"m{number}") for number in range(50)], asyncio.Event()
    gateway.script = {each.delivery_id: [Accept(after=answers)] for each in asked}
    ledger = make_ledger("open")
    async with run_lane(ledger, driver, gateway, limit=10) as sender:
        await sender.receive(*asked)
        await gateway.until(lambda seen: len(seen.calls) == 8)  # one host gets four fifths
        await sender.dispatcher.claim_due()
        assert len(gateway.calls) == 8
        answers.set()
        await sender.outcomes(50)
    assert len(gateway.sent) == 50


async def test_a_replay_of_the_log_sends_nothing(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [released(f"m{number}") for number in range(20)]
    async with run_lane(make_ledger("open"), driver, gateway) as sender:
        await sender.receive(*asked)
        await sender.outcomes(20)
        await sender.receive(*asked)
        await sender.receive(released("last"))
        await sender.outcomes(21)
    assert len(gateway.sent) == 21


async def test_replies_to_one_recipient_arrive_in_order_across_a_retry(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    asked = [reply(f"m{number}") for number in range(4)]
    gateway.script[asked[1].delivery_id] = [Refuse(500, "transient")]
    async with run_lane(make_ledger("reply"), driver, gateway) as sender:
        await sender.receive(*asked)
        await sender.outcomes(4)
    first, second, third, fourth = (each.delivery_id for each in asked)
    assert gateway.calls == [first, second, second, third, fourth]
    assert [event.status for event in sender.bus.inner.of(ReplySettled)] == ["sent"] * 4


async def test_a_reply_whose_answer_was_lost_is_found_and_not_sent_again(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    delivery = reply()
    gateway.script[delivery.delivery_id] = [Break(sent=True)]
    async with run_lane(make_ledger("reply"), driver, gateway) as sender:
        await sender.receive(delivery)
        (outcome,) = await sender.outcomes(1)
    assert (outcome.status, gateway.calls, gateway.lookups) == ("sent", [delivery.delivery_id], [delivery.delivery_id])


async def test_a_reply_that_the_gateway_did_not_receive_is_sent_again(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    delivery = reply()
    gateway.script[delivery.delivery_id] = [Break(sent=False)]
    async with run_lane(make_ledger("reply"), driver, gateway) as sender:
        await sender.receive(delivery)
        await sender.outcomes(1)
    assert gateway.sent == [delivery.delivery_id]


@pytest.mark.parametrize("odd_id", ["wamid\0", "wamid-\ud83d", "w" * 5_000], ids=["nul", "half", "long"])
async def test_one_odd_message_id_holds_up_no_reply_and_sends_nothing_twice(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway, odd_id: str
) -> None:
    asked = [reply(f"m{number}", recipient=f"20100000000{number}") for number in range(8)]
    gateway.script[asked[3].delivery_id] = [Accept(message_id=odd_id)]
    async with run_lane(make_ledger("reply"), driver, gateway) as sender:
        await sender.receive(*asked)
        outcomes = await sender.outcomes(8)
    assert statuses(outcomes) == {"sent": 8}
    assert sorted(gateway.calls) == sorted(each.delivery_id for each in asked)
    (odd,) = [each for each in outcomes if each.delivery_id == asked[3].delivery_id]
    assert odd.gateway_message_id == clean_id(odd_id)


async def test_an_error_text_with_half_an_emoji_holds_up_no_reply_of_another_package(
    make_ledger: MakeLedger, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    server.will(Respond(400, {"error": {"code": 131026, "message": "Message undeliverable \ud83d\0"}}))
    packages = FixedPackages((profile_at("cloud_api", server.base_url),))
    ledger = make_ledger("reply")
    async with run_lane(ledger, drivers["cloud_api"], packages=packages) as sender:
        await sender.receive(reply("m0"))
        (failed,) = await sender.outcomes(1)
        others = [reply(f"m{number}", f"20100000000{number}") for number in range(1, 9)]
        await sender.receive(*(each.model_copy(update={"package_id": "other"}) for each in others))
        outcomes = await sender.outcomes(9)
    assert (failed.status, (failed.reason or "").count("\ufffd")) == ("failed", 2)
    assert statuses(outcomes) == {"failed": 1, "sent": 8}
    assert len(server.sends) == 9


async def test_a_delivery_for_an_unknown_profile_returns_to_the_router(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    async with run_lane(make_ledger("open"), driver, gateway, packages=FixedPackages()) as sender:
        await sender.receive(released())
        (outcome,) = await sender.outcomes(1)
    assert (outcome.status, outcome.failure) == ("deferred", "profile")
    assert [event.tried for event in sender.bus.inner.of(DeliveryReturned)] == [("p1",)]
