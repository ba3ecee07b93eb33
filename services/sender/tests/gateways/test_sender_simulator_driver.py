"""Simulator driver against an HTTP server: every answer, and every way to get none."""

import asyncio
import socket
from datetime import timedelta

import pytest

from sender.core.gateway_answer import (
    LookupFailed,
    MessageFound,
    MessageNotFound,
    SendAccepted,
    SendInDoubt,
    SendRefused,
)
from sender.core.retry_policy import RefusalClass
from sender.gateways.http_client import GatewayClient, Timeouts
from sender.gateways.simulator import SimulatorDriver
from sender.testing import Accept, Break, FakeGateway, Refuse, profile, reply, send_once
from spreader.text.clean_text import clean

DELIVERY = reply()
ID = DELIVERY.delivery_id


async def test_a_send_is_accepted(driver: SimulatorDriver, gateway: FakeGateway) -> None:
    assert await send_once(driver, DELIVERY, profile(gateway.base_url)) == SendAccepted(clean(f"wamid-{ID}"))
    assert gateway.sent == [ID]


@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (500, "transient", "transient"),
        (429, "throttled", "throttled"),
        (403, "profile_blocked", "profile"),
        (404, "recipient_invalid", "recipient"),
        (400, "content_refused", "content"),
        (400, "invalid", "content"),
        (503, "profile_unknown", "transient"),
    ],
)
async def test_each_refusal_has_its_class(
    driver: SimulatorDriver, gateway: FakeGateway, status: int, code: str, failure: RefusalClass
) -> None:
    gateway.script[ID] = [Refuse(status, code)]
    assert await send_once(driver, DELIVERY, profile(gateway.base_url)) == SendRefused(
        failure, clean(f"the gateway refused it: {code}")
    )


async def test_a_refusal_of_a_message_that_was_sent_is_detected(driver: SimulatorDriver, gateway: FakeGateway) -> None:
    gateway.script[ID] = [Refuse(500, "transient", sent=True)]
    assert await send_once(driver, DELIVERY, profile(gateway.base_url)) == SendAccepted(clean(f"wamid-{ID}"))


async def test_a_refusal_that_cannot_be_checked_is_a_doubt(driver: SimulatorDriver, gateway: FakeGateway) -> None:
    gateway.script[ID], gateway.find_status = [Refuse(500, "transient")], 500
    assert isinstance(await send_once(driver, DELIVERY, profile(gateway.base_url)), SendInDoubt)


async def test_retry_after_is_passed_on(driver: SimulatorDriver, gateway: FakeGateway) -> None:
    gateway.script[ID] = [Refuse(429, "throttled", {"Retry-After": "7"})]
    answer = await send_once(driver, DELIVERY, profile(gateway.base_url))
    assert isinstance(answer, SendRefused)
    assert answer.retry_after == timedelta(seconds=7)


async def test_an_unreadable_answer_is_a_doubt(driver: SimulatorDriver, gateway: FakeGateway) -> None:
    gateway.script[ID] = [Refuse(502, "a proxy's own")]
    assert isinstance(await send_once(driver, DELIVERY, profile(gateway.base_url)), SendInDoubt)


@pytest.mark.parametrize("sent", [True, False])
async def test_a_connection_that_breaks_after_the_request_is_a_doubt(
    driver: SimulatorDriver, gateway: FakeGateway, sent: bool
) -> None:
    gateway.script[ID] = [Break(sent)]
    assert isinstance(await send_once(driver, DELIVERY, profile(gateway.base_url)), SendInDoubt)
    assert await driver.find(DELIVERY, profile(gateway.base_url)) == (
        MessageFound(clean(f"wamid-{ID}")) if sent else MessageNotFound()
    )


async def test_a_refused_connection_was_certainly_not_reached(driver: SimulatorDriver) -> None:
    with socket.socket() as bound:  # bound and not listening: a connection is refused
        bound.bind(("127.0.0.1", 0))
        nowhere = profile(f"http://127.0.0.1:{bound.getsockname()[1]}")
        answer = await send_once(driver, DELIVERY, nowhere)
        assert isinstance(answer, SendRefused)
        assert answer.failure == "gateway"
        assert isinstance(await driver.find(DELIVERY, nowhere), LookupFailed)


async def test_an_unknown_host_name_was_certainly_not_reached(driver: SimulatorDriver) -> None:
    answer = await send_once(driver, DELIVERY, profile("http://gateway.invalid"))
    assert isinstance(answer, SendRefused)
    assert answer.failure == "gateway"


async def test_a_time_out_after_the_request_is_a_doubt(gateway: FakeGateway) -> None:
    client, never = GatewayClient("hasty", 1, Timeouts(2, call_seconds=0.05)), asyncio.Event()
    hasty = SimulatorDriver(client, 0.05, "http://ingress")
    gateway.script[ID] = [Accept(after=never)]
    await client.start()
    try:
        assert isinstance(await send_once(hasty, DELIVERY, profile(gateway.base_url)), SendInDoubt)
    finally:
        never.set()
        await client.stop()


async def test_a_profile_is_registered_with_its_webhook_address(driver: SimulatorDriver, gateway: FakeGateway) -> None:
    await driver.register("pkg", profile(gateway.base_url))
    assert gateway.registered["account-p1"] == {
        "profile_id": "p1",
        "package_id": "pkg",
        "webhook_url": "http://ingress/api/v1/webhooks/simulator/pkg/p1",
    }
