"""Webhook calls of the three gateways: formats, signatures and retries."""

import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from simulator.accounts import GatewayAccount
from simulator.core.failures import Driver
from simulator.dialects import DIALECTS
from simulator.dialects.cloud_api import SEVEN_DAYS
from simulator.dialects.evolution import TEN_TIMES
from simulator.dialects.waha import FIFTEEN_TIMES
from simulator.testing import ACCOUNTS, CREDENTIALS, FakeWebhook, SimulatorClient, fake_webhook, running_simulator
from spreader.clock import Clock, wall_now

CUSTOMER = "201001234567"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
GATEWAYS = list(CREDENTIALS)


@pytest.fixture
async def hook() -> AsyncGenerator[FakeWebhook]:
    async with fake_webhook() as hook:
        yield hook


@pytest.fixture
async def fast(tmp_path: Path) -> AsyncGenerator[SimulatorClient]:
    async with running_simulator(
        tmp_path, Clock(6000, wall_now(), NOON), read_share=1, callback_back_off_factor=0.01
    ) as caller:
        yield caller


def statuses(driver: str, hook: FakeWebhook) -> list[str]:
    """What the receipts say, in their own words."""
    if driver == "cloud_api":
        values = [each["entry"][0]["changes"][0]["value"] for each in hook.accepted]
        return [value["statuses"][0]["status"] for value in values if "statuses" in value]
    if driver == "waha":
        return [each["payload"]["ackName"] for each in hook.accepted if each["event"] == "message.ack"]
    return [each["data"]["status"] for each in hook.accepted if each["event"] == "messages.update"]


class Even(Random):
    """Chance that always draws the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


TICKS = {
    "cloud_api": ["sent", "delivered", "read"],
    "waha": ["SERVER", "DEVICE", "READ"],
    "evolution": ["SERVER_ACK", "DELIVERY_ACK", "READ"],
}


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_a_send_is_followed_by_its_receipts(fast: SimulatorClient, hook: FakeWebhook, driver: str) -> None:
    await fast.register_account(driver, hook.url)
    await fast.send_text(driver)
    await hook.wait_until(lambda hook: len(statuses(driver, hook)) == 3)
    assert sorted(statuses(driver, hook)) == sorted(TICKS[driver])


async def test_a_status_has_the_documented_form_of_meta(fast: SimulatorClient, hook: FakeWebhook) -> None:
    await fast.register_account("cloud_api", hook.url, waba_id="419561257915477")
    reply = await fast.send_text("cloud_api", biz_opaque_callback_data="dlv_1")
    await hook.wait_until(lambda hook: "read" in statuses("cloud_api", hook))
    found = {each["entry"][0]["changes"][0]["value"]["statuses"][0]["status"]: each for each in hook.accepted}
    value = found["read"]["entry"][0]["changes"][0]["value"]
    assert found["read"]["object"] == "whatsapp_business_account"
    assert found["read"]["entry"][0]["id"] == "419561257915477"
    assert value["metadata"] == {"display_phone_number": "15550783881", "phone_number_id": ACCOUNTS["cloud_api"]}
    (status,) = value["statuses"]
    assert status.pop("timestamp").isdecimal()
    message_id = reply.body["messages"][0]["id"]
    carried = {"recipient_id": CUSTOMER, "biz_opaque_callback_data": "dlv_1"}
    assert status == {"id": message_id, "status": "read", **carried}


async def test_waha_and_evolution_report_the_send_itself(fast: SimulatorClient, hook: FakeWebhook) -> None:
    await fast.register_account("waha", hook.url)
    key = (await fast.send_text("waha")).body["key"]["id"]
    await hook.wait_until(lambda hook: len(hook.accepted) == 4)
    found = {each["payload"]["ackName"]: each["payload"] for each in hook.accepted}
    assert {each["id"] for each in found.values()} == {f"true_{CUSTOMER}@c.us_{key}"}
    assert {name: each["ack"] for name, each in found.items()} == {"PENDING": 0, "SERVER": 1, "DEVICE": 2, "READ": 3}
    assert (found["PENDING"]["source"], found["PENDING"]["body"]) == ("api", "Hi")
    assert {each["metadata"]["profile.id"] for each in hook.accepted} == {"prf_waha"}
    assert len({each["id"] for each in hook.accepted}) == 4
    async with fake_webhook() as other:
        await fast.register_account("evolution", other.url)
        key = (await fast.send_text("evolution")).body["key"]["id"]
        await other.wait_until(lambda other: len(other.accepted) == 4)
    names = {each["data"].get("keyId") or each["data"]["key"]["id"] for each in other.accepted}
    assert (names, {each["instance"] for each in other.accepted}) == ({key}, {"shop"})
    assert sorted(each["event"] for each in other.accepted) == ["messages.update"] * 3 + ["send.message"]


def words(driver: str, said: Any) -> tuple[str, str, str]:
    """Of a customer's message: who, what, and its id at the gateway."""
    match driver:
        case "cloud_api":
            (message,) = said["entry"][0]["changes"][0]["value"]["messages"]
            return message["from"], message["text"]["body"], message["id"]
        case "waha":
            payload = said["payload"]
            assert (said["event"], payload["fromMe"]) == ("message", False)
            return payload["from"], payload["body"], payload["id"].split("_")[-1]
        case _:
            data = said["data"]
            assert (said["event"], data["key"]["fromMe"]) == ("messages.upsert", False)
            return data["key"]["remoteJid"], data["message"]["conversation"], data["key"]["id"]


@pytest.mark.parametrize(
    ("driver", "lid"),
    [("cloud_api", False), ("waha", False), ("evolution", False), ("waha", True), ("evolution", True)],
)
async def test_a_customers_message_has_the_gateways_format(
    fast: SimulatorClient, hook: FakeWebhook, driver: str, lid: bool
) -> None:
    await fast.register_account(driver, hook.url, behaviour={"lid": lid})
    body = {"profile": f"prf_{driver}", "text": "Is it still available? ✓"}
    reply = await fast.request("POST", f"/customers/{CUSTOMER}/messages", body)
    domain = {"cloud_api": "", "waha": "@c.us", "evolution": "@s.whatsapp.net"}[driver]
    who = f"912{CUSTOMER[::-1]}@lid" if lid else f"{CUSTOMER}{domain}"
    await hook.wait_until(lambda hook: bool(hook.accepted))
    assert words(driver, hook.accepted[0]) == (who, body["text"], reply.body["message_id"])


@pytest.mark.parametrize("driver", ["waha", "evolution"])
async def test_a_customers_message_may_have_only_the_hidden_id(
    fast: SimulatorClient, hook: FakeWebhook, driver: str
) -> None:
    await fast.register_account(driver, hook.url, behaviour={"lid": True, "lid_alone": True})
    await fast.request("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "STOP"})
    await hook.wait_until(lambda hook: bool(hook.accepted))
    assert CUSTOMER not in json.dumps(hook.accepted[0])


async def test_a_reply_may_use_the_hidden_id(fast: SimulatorClient) -> None:
    await fast.register_account("waha")
    reply = await fast.send_text("waha", chatId=f"912{CUSTOMER[::-1]}@lid")
    unknown = await fast.send_text("waha", chatId="123@lid")
    assert (reply.status, unknown.status) == (201, 500)
    assert [line["recipient"] for line in await fast.ledger()] == [CUSTOMER]


async def test_meta_verifies_a_webhook_by_a_challenge(fast: SimulatorClient, hook: FakeWebhook) -> None:
    found: list[bool] = []
    for url, word in ((hook.url, "verify"), (hook.url, "another"), ("http://127.0.0.1:1/away", "verify")):
        credentials = {**CREDENTIALS["cloud_api"], "verify_token": word}
        await fast.register_account("cloud_api", url, credentials=credentials)
        found.append((await fast.request("POST", "/accounts/cloud_api/100/verification")).body["verified"])
    assert found == [True, False, False]


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_a_customers_message_may_come_twice(fast: SimulatorClient, hook: FakeWebhook, driver: str) -> None:
    await fast.register_account(driver, hook.url, behaviour={"doubled_share": 1.0})
    await fast.request("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "Hello?"})
    await hook.wait_until(lambda hook: len(hook.accepted) == 2)
    assert words(driver, hook.accepted[0]) == words(driver, hook.accepted[1])


def test_signatures_match_published_vectors() -> None:
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    digest = hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()
    assert digest == "d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f"
    account = an_account("cloud_api")
    headers = DIALECTS["cloud_api"].headers(account, body, NOON)
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"
    body = b'{"event":"message","session":"default","engine":"WEBJS"}'
    headers = DIALECTS["waha"].headers(an_account("waha"), body, NOON)
    assert headers["X-Webhook-Hmac"] == (
        "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
        "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"
    )
    assert headers["X-Webhook-Timestamp"] == str(int(NOON.timestamp() * 1000))
    headers = DIALECTS["evolution"].headers(an_account("evolution"), b"{}", NOON)
    assert headers == {"Authorization": "Bearer token-of-webhook"}


def an_account(driver: Driver) -> GatewayAccount:
    return GatewayAccount(ACCOUNTS[driver], "prf_1", "pkg_1", "http://x/", driver, "15550783881", CREDENTIALS[driver])


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_a_call_is_signed_and_its_retries_are_identical(fast: SimulatorClient, driver: str) -> None:
    async with fake_webhook(refusals=2) as hook:
        await fast.register_account(driver, hook.url)
        await fast.request("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "Grüße ✓"})
        await hook.wait_until(lambda hook: len(hook.accepted) == 1)
    assert len({call.raw for call in hook.calls}) == 1
    first, *others = hook.calls
    for name in ("X-Hub-Signature-256", "X-Webhook-Hmac", "X-Webhook-Timestamp", "X-Webhook-Request-Id"):
        assert {call.headers.get(name) for call in others} == {first.headers.get(name)}
    keys = CREDENTIALS[driver]
    match driver:
        case "cloud_api":
            wanted = hmac.new(keys["app_secret"].encode(), first.raw, hashlib.sha256).hexdigest()
            assert first.headers["X-Hub-Signature-256"] == f"sha256={wanted}"
        case "waha":
            wanted = hmac.new(keys["hmac_key"].encode(), first.raw, hashlib.sha512).hexdigest()
            assert first.headers["X-Webhook-Hmac"] == wanted
            stamp = datetime.fromtimestamp(int(first.headers["X-Webhook-Timestamp"]) / 1000, UTC)
            assert abs(stamp - wall_now()) < timedelta(minutes=5)
        case _:
            assert first.headers["Authorization"] == f"Bearer {keys['webhook_token']}"


@pytest.mark.parametrize(
    ("driver", "status", "calls"),
    [("evolution", 404, 1), ("evolution", 422, 1), ("evolution", 503, 10), ("waha", 404, 15), ("waha", 500, 15)],
)
async def test_a_gateway_gives_up_as_the_real_one_does(tmp_path: Path, driver: str, status: int, calls: int) -> None:
    async with (
        fake_webhook(refusals=1_000, status=status) as hook,
        running_simulator(tmp_path, callback_back_off_factor=1e-6) as caller,
    ):
        await caller.register_account(driver, hook.url)
        await caller.request("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "Hello?"})
        await hook.wait_until(lambda hook: len(hook.refused) == calls)
        metrics = await caller.text("/metrics")
    assert 'spreader_simulator_callbacks_total{event="message",result="given up"}' in metrics
    assert len(hook.calls) == calls


def test_the_cloud_api_retries_for_seven_days() -> None:
    waits = [SEVEN_DAYS.seconds(attempt, Even()) for attempt in range(1, (SEVEN_DAYS.attempts_max or 0))]
    assert timedelta(days=6.5) < timedelta(seconds=sum(waits)) < timedelta(days=7.5)


def test_waha_has_constant_delays_and_evolution_growing_ones() -> None:
    assert [FIFTEEN_TIMES.seconds(attempt, Even()) for attempt in range(1, 5)] == [2, 2, 2, 2]
    waits = [TEN_TIMES.seconds(attempt, Even()) for attempt in range(1, 10)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
