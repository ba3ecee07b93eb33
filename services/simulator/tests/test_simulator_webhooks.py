"""What the three gateways call back: signed, in their own shapes, tried again as each does."""

import hashlib
import hmac
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from simulator.accounts import Account
from simulator.core.failures import Driver
from simulator.dialects import DIALECTS
from simulator.dialects.cloud_api import SEVEN_DAYS
from simulator.dialects.evolution import TEN_TIMES
from simulator.dialects.waha import FIFTEEN_TIMES
from simulator.testing import ACCOUNTS, CREDENTIALS, Caller, Webhook, serving, webhook
from spreader.clock import Clock, wall_now

CUSTOMER = "201001234567"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
GATEWAYS = list(CREDENTIALS)


@pytest.fixture
async def hook() -> AsyncGenerator[Webhook]:
    async with webhook() as hook:
        yield hook


@pytest.fixture
async def fast(tmp_path: Path) -> AsyncGenerator[Caller]:
    async with serving(tmp_path, Clock(6000, wall_now(), NOON), read_share=1, callback_back_off_factor=0.01) as caller:
        yield caller


def statuses(driver: str, hook: Webhook) -> list[str]:
    """What the receipts say, in their own words."""
    if driver == "cloud_api":
        values = [each["entry"][0]["changes"][0]["value"] for each in hook.taken]
        return [value["statuses"][0]["status"] for value in values if "statuses" in value]
    if driver == "waha":
        return [each["payload"]["ackName"] for each in hook.taken if each["event"] == "message.ack"]
    return [each["data"]["status"] for each in hook.taken if each["event"] == "messages.update"]


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
async def test_a_send_is_followed_by_its_ticks(fast: Caller, hook: Webhook, driver: str) -> None:
    await fast.set_up(driver, hook.url)
    await fast.say(driver)
    await hook.until(lambda hook: len(statuses(driver, hook)) == 3)
    assert sorted(statuses(driver, hook)) == sorted(TICKS[driver])


async def test_a_status_of_meta_is_as_described(fast: Caller, hook: Webhook) -> None:
    await fast.set_up("cloud_api", hook.url, waba_id="419561257915477")
    reply = await fast.say("cloud_api", biz_opaque_callback_data="dlv_1")
    await hook.until(lambda hook: "read" in statuses("cloud_api", hook))
    found = {each["entry"][0]["changes"][0]["value"]["statuses"][0]["status"]: each for each in hook.taken}
    value = found["read"]["entry"][0]["changes"][0]["value"]
    assert found["read"]["object"] == "whatsapp_business_account"
    assert found["read"]["entry"][0]["id"] == "419561257915477"
    assert value["metadata"] == {"display_phone_number": "15550783881", "phone_number_id": ACCOUNTS["cloud_api"]}
    (status,) = value["statuses"]
    assert status.pop("timestamp").isdecimal()
    message_id = reply.body["messages"][0]["id"]
    carried = {"recipient_id": CUSTOMER, "biz_opaque_callback_data": "dlv_1"}
    assert status == {"id": message_id, "status": "read", **carried}


async def test_acks_name_the_message_and_waha_and_evolution_tell_of_our_own_send(fast: Caller, hook: Webhook) -> None:
    await fast.set_up("waha", hook.url)
    key = (await fast.say("waha")).body["key"]["id"]
    await hook.until(lambda hook: len(hook.taken) == 4)
    found = {each["payload"]["ackName"]: each["payload"] for each in hook.taken}
    assert {each["id"] for each in found.values()} == {f"true_{CUSTOMER}@c.us_{key}"}
    assert {name: each["ack"] for name, each in found.items()} == {"PENDING": 0, "SERVER": 1, "DEVICE": 2, "READ": 3}
    assert (found["PENDING"]["source"], found["PENDING"]["body"]) == ("api", "Hi")
    assert {each["metadata"]["profile.id"] for each in hook.taken} == {"prf_waha"}
    assert len({each["id"] for each in hook.taken}) == 4
    async with webhook() as other:
        await fast.set_up("evolution", other.url)
        key = (await fast.say("evolution")).body["key"]["id"]
        await other.until(lambda other: len(other.taken) == 4)
    names = {each["data"].get("keyId") or each["data"]["key"]["id"] for each in other.taken}
    assert (names, {each["instance"] for each in other.taken}) == ({key}, {"shop"})
    assert sorted(each["event"] for each in other.taken) == ["messages.update"] * 3 + ["send.message"]


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
async def test_what_a_customer_writes_comes_in_the_gateways_shape(
    fast: Caller, hook: Webhook, driver: str, lid: bool
) -> None:
    await fast.set_up(driver, hook.url, behaviour={"lid": lid})
    body = {"profile": f"prf_{driver}", "text": "Is it still available? ✓"}
    reply = await fast.ask("POST", f"/customers/{CUSTOMER}/messages", body)
    domain = {"cloud_api": "", "waha": "@c.us", "evolution": "@s.whatsapp.net"}[driver]
    who = f"912{CUSTOMER[::-1]}@lid" if lid else f"{CUSTOMER}{domain}"
    await hook.until(lambda hook: bool(hook.taken))
    assert words(driver, hook.taken[0]) == (who, body["text"], reply.body["message_id"])


async def test_who_is_named_by_a_hidden_id_is_written_to_by_it(fast: Caller) -> None:
    await fast.set_up("waha")
    reply = await fast.say("waha", chatId=f"912{CUSTOMER[::-1]}@lid")
    unknown = await fast.say("waha", chatId="123@lid")
    assert (reply.status, unknown.status) == (201, 500)
    assert [line["recipient"] for line in await fast.ledger()] == [CUSTOMER]


async def test_meta_asks_for_a_number_back_before_it_calls(fast: Caller, hook: Webhook) -> None:
    found: list[bool] = []
    for url, word in ((hook.url, "verify"), (hook.url, "another"), ("http://127.0.0.1:1/away", "verify")):
        credentials = {**CREDENTIALS["cloud_api"], "verify_token": word}
        await fast.set_up("cloud_api", url, credentials=credentials)
        found.append((await fast.ask("POST", "/accounts/cloud_api/100/verification")).body["verified"])
    assert found == [True, False, False]


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_what_a_customer_wrote_may_come_twice(fast: Caller, hook: Webhook, driver: str) -> None:
    await fast.set_up(driver, hook.url, behaviour={"doubled_share": 1.0})
    await fast.ask("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "Hello?"})
    await hook.until(lambda hook: len(hook.taken) == 2)
    assert words(driver, hook.taken[0]) == words(driver, hook.taken[1])


def test_signatures_are_those_of_the_published_vectors() -> None:
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


def an_account(driver: Driver) -> Account:
    return Account(ACCOUNTS[driver], "prf_1", "pkg_1", "http://x/", driver, "15550783881", CREDENTIALS[driver])


@pytest.mark.parametrize("driver", GATEWAYS)
async def test_a_call_is_signed_over_its_raw_bytes_and_the_same_when_it_comes_again(fast: Caller, driver: str) -> None:
    async with webhook(refusals=2) as hook:
        await fast.set_up(driver, hook.url)
        await fast.ask("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "Grüße ✓"})
        await hook.until(lambda hook: len(hook.taken) == 1)
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
async def test_a_gateway_gives_up_when_the_real_one_does(tmp_path: Path, driver: str, status: int, calls: int) -> None:
    async with (
        webhook(refusals=1_000, status=status) as hook,
        serving(tmp_path, callback_back_off_factor=1e-6) as caller,
    ):
        await caller.set_up(driver, hook.url)
        await caller.ask("POST", f"/customers/{CUSTOMER}/messages", {"profile": f"prf_{driver}", "text": "Hello?"})
        await hook.until(lambda hook: len(hook.refused) == calls)
        metrics = await caller.text("/metrics")
    assert 'spreader_simulator_callbacks_total{event="message",result="given up"}' in metrics
    assert len(hook.calls) == calls


def test_the_cloud_goes_on_for_seven_days() -> None:
    waits = [SEVEN_DAYS.seconds(attempt, Even()) for attempt in range(1, (SEVEN_DAYS.attempts_max or 0))]
    assert timedelta(days=6.5) < timedelta(seconds=sum(waits)) < timedelta(days=7.5)


def test_waha_waits_evenly_and_evolution_ever_longer() -> None:
    assert [FIFTEEN_TIMES.seconds(attempt, Even()) for attempt in range(1, 5)] == [2, 2, 2, 2]
    waits = [TEN_TIMES.seconds(attempt, Even()) for attempt in range(1, 10)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
