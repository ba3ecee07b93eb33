"""Signatures: a webhook call without a valid signature is refused, changes nothing and is counted."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from ingress.core.signatures import is_valid_hmac
from ingress.core.webhook_parsers import WebhookCall, WebhookParser
from ingress.core.webhook_parsers.cloud_api import CloudApiParser
from ingress.core.webhook_parsers.evolution import EvolutionParser
from ingress.core.webhook_parsers.waha import WahaParser
from ingress.testing import CREDENTIALS, System, signed
from spreader.clock import wall_now
from spreader.contract.events import CustomerMessage

REFUSALS, PASSED = "spreader_webhook_refusals", "spreader_webhook_passed_over"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
META_BODY = b'{"object":"whatsapp_business_account","entry":[]}'
META_HEX = "d3e4f9da0ce6c71ab3dba55929b8eeeee2455349e534924ead19f98d143e904f"
WAHA_BODY = b'{"event":"message","session":"default","engine":"WEBJS"}'
WAHA_HEX = (
    "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
    "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"
)
MS = f"{NOON.timestamp() * 1000:.0f}"


def refusal(
    parser: WebhookParser, secrets: Mapping[str, str], body: bytes, headers: Mapping[str, str], wall: datetime = NOON
) -> str | None:
    return parser.refusal(WebhookCall(headers, body, wall), secrets)


def test_the_example_signatures_of_the_gateways_are_valid() -> None:
    assert is_valid_hmac("app-secret", META_BODY, META_HEX, "sha256")
    assert is_valid_hmac("my-secret-key", WAHA_BODY, WAHA_HEX, "sha512")
    assert not is_valid_hmac("my-secret-key", WAHA_BODY + b" ", WAHA_HEX, "sha512")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"x-hub-signature-256": f"sha256={META_HEX}"}, None),
        ({"x-hub-signature-256": f"sha256={META_HEX.upper()}"}, None),
        ({}, "no_signature"),
        ({"x-hub-signature-256": ""}, "wrong_signature"),
        ({"x-hub-signature-256": META_HEX}, "wrong_signature"),
        ({"x-hub-signature-256": f"sha1={META_HEX}"}, "wrong_signature"),
        ({"x-hub-signature-256": f"sha256={META_HEX[:-1]}0"}, "wrong_signature"),
        ({"x-hub-signature-256": f"sha256={META_HEX}0"}, "wrong_signature"),
        ({"x-hub-signature-256": "sha256=ключ"}, "wrong_signature"),
    ],
)
def test_meta_signs_the_raw_body(header: dict[str, str], expected: str | None) -> None:
    assert refusal(CloudApiParser(), {"app_secret": "app-secret"}, META_BODY, header) == expected


def test_an_equivalent_body_in_another_notation_has_another_signature() -> None:
    spaced = json.dumps(json.loads(META_BODY)).encode()
    assert json.loads(spaced) == json.loads(META_BODY)
    header = {"x-hub-signature-256": f"sha256={META_HEX}"}
    assert refusal(CloudApiParser(), {"app_secret": "app-secret"}, spaced, header) == "wrong_signature"


@pytest.mark.parametrize(
    ("headers", "later", "expected"),
    [
        ({"x-webhook-hmac": WAHA_HEX, "x-webhook-timestamp": MS}, timedelta(0), None),
        ({"x-webhook-hmac": WAHA_HEX, "x-webhook-timestamp": MS}, timedelta(minutes=5), None),
        ({"x-webhook-hmac": WAHA_HEX, "x-webhook-timestamp": MS}, timedelta(minutes=5, seconds=1), "too_old"),
        ({"x-webhook-hmac": WAHA_HEX, "x-webhook-timestamp": MS}, timedelta(minutes=-6), "too_old"),
        ({"x-webhook-hmac": WAHA_HEX}, timedelta(0), "too_old"),
        ({"x-webhook-hmac": WAHA_HEX, "x-webhook-timestamp": "soon"}, timedelta(0), "too_old"),
        ({"x-webhook-timestamp": MS}, timedelta(0), "no_signature"),
        ({"x-webhook-hmac": "0" * 128, "x-webhook-timestamp": MS}, timedelta(0), "wrong_signature"),
    ],
)
def test_waha_signs_the_raw_body_and_stamps_the_call(
    headers: dict[str, str], later: timedelta, expected: str | None
) -> None:
    assert refusal(WahaParser(), {"hmac_key": "my-secret-key"}, WAHA_BODY, headers, NOON + later) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"authorization": "Bearer token-1"}, None),
        ({}, "no_signature"),
        ({"authorization": "Bearer token-2"}, "wrong_signature"),
        ({"authorization": "token-1"}, "wrong_signature"),
        ({"authorization": "Bearer "}, "wrong_signature"),
    ],
)
def test_evolution_sends_its_token(header: dict[str, str], expected: str | None) -> None:
    assert refusal(EvolutionParser(), {"webhook_token": "token-1"}, b"{}", header) == expected


SECRETS = {"cloud_api": "app_secret", "waha": "hmac_key", "evolution": "webhook_token"}


def text_of(driver: str, account: str) -> dict[str, Any]:
    """A customer's message in each gateway's format."""
    if driver == "cloud_api":
        message = {
            "from": "201000000011",
            "id": "m1",
            "timestamp": "1750263773",
            "type": "text",
            "text": {"body": "Hi"},
        }
        value = {"metadata": {"phone_number_id": account}, "messages": [message]}
        return {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
    if driver == "waha":
        payload = {"id": "false_201000000011@c.us_m1", "from": "201000000011@c.us", "fromMe": False, "body": "Hi"}
        return {"id": "evt_1", "timestamp": 1750263773000, "event": "message", "session": account, "payload": payload}
    key = {"remoteJid": "201000000011@s.whatsapp.net", "fromMe": False, "id": "m1"}
    data = {"key": key, "message": {"conversation": "Hi"}, "messageTimestamp": 1750263773}
    return {"event": "messages.upsert", "instance": account, "data": data}


async def call(system: System, driver: str, profile_id: str, body: dict[str, Any], **wrong: Any) -> httpx.Response:
    return await system.http.post(f"/webhooks/{driver}/pkg/{profile_id}", **signed(driver, profile_id, body, **wrong))


def counted(metric: str, driver: str, reason: str) -> float:
    return REGISTRY.get_sample_value(f"{metric}_total", {"driver": driver, "reason": reason}) or 0.0


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
async def test_a_call_with_an_invalid_signature_changes_nothing_and_is_counted(system: System, driver: str) -> None:
    await system.package()
    for profile_id in ("a", "b"):
        await system.gateway_profile(driver, profile_id)
    body, before = text_of(driver, "a"), counted(REFUSALS, driver, "wrong_signature")
    assert (await call(system, driver, "a", body, secret="of somebody else")).status_code == 401
    other = CREDENTIALS[driver]("b")[
        {"cloud_api": "app_secret", "waha": "hmac_key", "evolution": "webhook_token"}[driver]
    ]
    assert (await call(system, driver, "a", body, secret=other)).status_code == 401
    unsigned = await system.http.post(f"/webhooks/{driver}/pkg/a", json=body, headers={"Authorization": ""})
    assert (unsigned.status_code, unsigned.json()["code"]) == (401, "signature")
    assert counted(REFUSALS, driver, "wrong_signature") >= before + 2
    assert system.bus.published == []
    assert (await call(system, driver, "a", body)).status_code == 200
    (message,) = system.bus.of(CustomerMessage)
    assert (message.profile_id, message.recipient, message.text) == ("a", "201000000011", "Hi")


async def test_a_replayed_call_is_refused(system: System) -> None:
    await system.package()
    await system.gateway_profile("waha", "a")
    before = counted(REFUSALS, "waha", "too_old")
    old = await call(system, "waha", "a", text_of("waha", "a"), at=wall_now() - timedelta(minutes=6))
    assert (old.status_code, "clocks" in old.json()["detail"]) == (401, True)
    assert (counted(REFUSALS, "waha", "too_old") - before, system.bus.published) == (1, [])


async def test_metas_challenge_is_returned_for_the_verify_token_only(system: System) -> None:
    await system.package()
    await system.gateway_profile("cloud_api", "a")
    token = CREDENTIALS["cloud_api"]("a")["verify_token"]
    asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
    path, no_key = "/webhooks/cloud_api/pkg/a", {"Authorization": ""}
    answer = await system.http.get(path, params=asked, headers=no_key)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert answer.headers["content-type"].startswith("text/plain")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "unsubscribe"}, {"hub.verify_token": ""}):
        refused = await system.http.get(path, params={**asked, **wrong}, headers=no_key)
        assert (refused.status_code, token in refused.text) == (403, False)
    assert (await system.http.get(path, headers=no_key)).status_code == 403


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
async def test_a_report_on_another_account_is_accepted_if_the_secret_is_the_same(system: System, driver: str) -> None:
    """Meta calls one address for all numbers of an app."""
    await system.package()
    await system.gateway_profile(driver, "a", like="shared")
    await system.gateway_profile(driver, "b", like="shared")
    await system.gateway_profile(driver, "c")
    for account in ("b", "c", "unknown"):
        before = counted(PASSED, driver, "not_for_us")
        answer = await system.http.post(
            f"/webhooks/{driver}/pkg/a", **signed(driver, "shared", text_of(driver, account))
        )
        assert answer.status_code == 200
        more = counted(PASSED, driver, "not_for_us") - before
        assert (account, more) == (account, 0 if account == "b" else 1)
    assert [each.profile_id for each in system.bus.of(CustomerMessage)] == ["b"]


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
async def test_a_signed_call_that_is_not_json_is_malformed_and_an_unknown_event_is_accepted(
    system: System, driver: str
) -> None:
    await system.package()
    await system.gateway_profile(driver, "a")
    statuses = [
        (await system.http.post(f"/webhooks/{driver}/pkg/a", **signed(driver, "a", body))).status_code
        for body in (b"{", b"[]", {"event": "something.new", "entry": [{"changes": [{"field": "new"}]}]}, {})
    ]
    assert statuses == [400, 400, 200, 200]
    system.bus.away = True
    again = await call(system, driver, "a", text_of(driver, "a"))
    assert (again.status_code, "retry-after" in again.headers) == (503, True)


def test_the_hashes_of_the_examples_are_reproducible() -> None:
    assert hmac.new(b"app-secret", META_BODY, hashlib.sha256).hexdigest() == META_HEX
    assert hmac.new(b"my-secret-key", WAHA_BODY, hashlib.sha512).hexdigest() == WAHA_HEX


def edited_to_stop(driver: str) -> dict[str, Any]:
    """A customer's change of an earlier message to STOP, in each gateway's format."""
    body = text_of(driver, "a")
    if driver == "cloud_api":
        (message,) = body["entry"][0]["changes"][0]["value"]["messages"]
        new = {"type": "text", "text": {"body": "STOP"}}
        message |= {"type": "edit", "edit": {"original_message_id": "m0", "message": new}}
        return body
    if driver == "waha":
        return body | {"event": "message.edited", "payload": body["payload"] | {"body": "STOP"}}
    return body | {"event": "messages.edited", "data": body["data"] | {"editedMessage": {"conversation": "STOP"}}}


@pytest.mark.parametrize("driver", SECRETS)
async def test_a_message_edited_to_stop_suppresses_its_author_and_is_no_answer(system: System, driver: str) -> None:
    await system.package()
    await system.gateway_profile(driver, "a")
    assert (await call(system, driver, "a", edited_to_stop(driver))).status_code == 200
    listed = (await system.http.get("/packages/pkg/suppressions")).json()["data"]
    assert [(each["recipient"], each["source"]) for each in listed] == [("201000000011", "opt_out_word")]
    assert system.bus.of(CustomerMessage) == []


async def test_evolution_may_call_an_address_for_each_event(system: System) -> None:
    await system.package()
    await system.gateway_profile("evolution", "a")
    body = text_of("evolution", "a")
    answer = await system.http.post("/webhooks/evolution/pkg/a/messages-upsert", **signed("evolution", "a", body))
    assert (answer.status_code, len(system.bus.of(CustomerMessage))) == (200, 1)
