"""Credentials, sessions, number checks and uploads of the three gateways."""

import io
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from simulator.testing import ACCOUNTS, CREDENTIALS, KEYS, SimulatorClient, running_simulator
from simulator.uploads import MediaUploads
from spreader.clock import wall_now

CUSTOMER = "201001234567"
DRIVERS = list(CREDENTIALS)


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncGenerator[SimulatorClient]:
    async with running_simulator(tmp_path, delivered_share=0) as caller:
        for driver in DRIVERS:
            await caller.register_account(driver)
        yield caller


SEND_PATHS = {
    "cloud_api": "/cloud/v23.0/{}/messages",
    "waha": "/waha/api/sessions/{}",
    "evolution": "/evolution/instance/connectionState/{}",
}
CALLS = {driver: ("POST" if driver == "cloud_api" else "GET", path) for driver, path in SEND_PATHS.items()}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("keys", [{}, {"Authorization": "Bearer x"}, {"X-Api-Key": "x"}, {"apikey": "x"}])
async def test_a_wrong_key_is_refused(gateways: SimulatorClient, driver: str, keys: dict[str, str]) -> None:
    method, path = CALLS[driver]
    reply = await gateways.request(method, path.format(ACCOUNTS[driver]), {}, keys)
    assert reply.status == 401
    if driver == "cloud_api":
        assert (reply.body["error"]["type"], reply.body["error"]["code"]) == ("OAuthException", 190)
    elif driver == "waha":
        assert reply.body == {"message": "Unauthorized", "statusCode": 401}
    else:
        assert reply.body == {"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}


async def test_a_key_is_valid_for_one_account(gateways: SimulatorClient) -> None:
    other = {"cloud_api": "access_token", "waha": "api_key", "evolution": "api_key"}
    for driver, name in other.items():
        body = {
            "profile_id": "prf_2", "package_id": "pkg_1", "phone": "15550783882", "webhook_url": "http://127.0.0.1:1/",
            "credentials": {**CREDENTIALS[driver], name: "another"},
        }  # fmt: skip
        assert (await gateways.request("PUT", f"/accounts/{driver}/200", body)).status == 200
    found = {}
    for driver, (method, path) in CALLS.items():
        found[driver] = (await gateways.request(method, path.format("200"), {}, KEYS[driver])).status
    assert found == {"cloud_api": 400, "waha": 401, "evolution": 401}


async def test_an_unknown_account_is_refused_in_the_gateways_format(gateways: SimulatorClient) -> None:
    replies = {}
    for driver, (method, path) in CALLS.items():
        replies[driver] = await gateways.request(method, path.format("999"), {}, KEYS[driver])
    assert (replies["cloud_api"].status, replies["cloud_api"].body["error"]["code"]) == (400, 100)
    assert (replies["waha"].status, replies["waha"].body["statusCode"]) == (404, 404)
    said = replies["evolution"].body["response"]["message"]
    assert (replies["evolution"].status, said) == (404, ['The "999" instance does not exist'])


async def test_an_account_is_registered_shown_kept_and_removed(tmp_path: Path) -> None:
    async with running_simulator(tmp_path) as caller:
        await caller.register_account("waha", engine="WEBJS")
        await caller.register_account("cloud_api", waba_id="77")
    async with running_simulator(tmp_path) as caller:
        found = (await caller.request("GET", "/accounts")).body["data"]
        assert [(each["driver"], each["account"], each["engine"], each["waba_id"]) for each in found] == [
            ("waha", "default", "WEBJS", None),
            ("cloud_api", "100", None, "77"),
        ]
        assert not any(secret in str(found) for secrets in CREDENTIALS.values() for secret in secrets.values())
        assert (await caller.request("GET", "/profiles")).body == {"data": []}
        assert (await caller.request("DELETE", "/accounts/waha/default")).body == {"removed": 1}
        assert (await caller.request("GET", "/accounts/waha/default")).status == 404
        assert (await caller.send_text("waha")).status == 401
    async with running_simulator(tmp_path) as caller:
        assert [each["driver"] for each in (await caller.request("GET", "/accounts")).body["data"]] == ["cloud_api"]


@pytest.mark.parametrize(
    ("path", "change", "pointer"),
    [
        ("waha/default", {"credentials": {"api_key": "x"}}, "/credentials"),
        ("waha/default", {"credentials": {"api_key": "x", "hmac_key": ""}}, "/credentials"),
        ("waha/default", {"credentials": {"api_key": "x", "hmac_key": "y", "more": "z"}}, "/credentials"),
        ("cloud_api/shop", {"credentials": CREDENTIALS["cloud_api"]}, "/account"),
        ("waha/default", {"phone": "x"}, "/phone"),
        ("waha/default", {"behaviour": {"surprise": 1}}, "/behaviour/surprise"),
        ("simulator/default", {}, "/driver"),
    ],
)
async def test_a_wrong_registration_names_the_field(
    gateways: SimulatorClient, path: str, change: dict[str, Any], pointer: str
) -> None:
    body = {
        "profile_id": "prf_1", "package_id": "pkg_1", "phone": "15550783881", "webhook_url": "http://127.0.0.1:1/",
        "credentials": CREDENTIALS["waha"], **change,
    }  # fmt: skip
    reply = await gateways.request("PUT", f"/accounts/{path}", body)
    assert reply.status == 422
    assert [error["pointer"] for error in reply.body["error"]["errors"]] == [pointer]


async def test_meta_returns_the_requested_fields_of_a_number(gateways: SimulatorClient) -> None:
    plain = await gateways.call_with_key("cloud_api", "GET", "/cloud/v23.0/100")
    asked = await gateways.call_with_key("cloud_api", "GET", "/cloud/v23.0/100?fields=quality_rating,status")
    unknown = await gateways.call_with_key("cloud_api", "GET", "/cloud/v23.0/100?fields=shoe_size")
    assert set(plain.body) == {"id", "display_phone_number", "verified_name", "quality_rating"}
    assert asked.body == {"id": "100", "quality_rating": "GREEN", "status": "CONNECTED"}
    assert (unknown.status, unknown.body["error"]["code"]) == (400, 100)


async def test_a_message_is_marked_as_read(gateways: SimulatorClient) -> None:
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"}
    for typing in ({}, {"typing_indicator": {"type": "text"}}):
        reply = await gateways.call_with_key("cloud_api", "POST", "/cloud/v23.0/100/messages", {**body, **typing})
        assert (reply.status, reply.body) == (200, {"success": True})
    assert await gateways.ledger() == []


async def test_waha_and_evolution_show_sessions_and_check_numbers(gateways: SimulatorClient) -> None:
    session = (await gateways.call_with_key("waha", "GET", "/waha/api/sessions/default")).body
    assert (session["name"], session["status"], session["me"]["id"]) == ("default", "WORKING", "15550783881@c.us")
    assert (await gateways.request("GET", "/waha/ping")).body == {"message": "pong"}
    query = f"/waha/api/contacts/check-exists?phone={CUSTOMER}&session=default"
    assert (await gateways.call_with_key("waha", "GET", query)).body == {
        "numberExists": True,
        "chatId": f"{CUSTOMER}@c.us",
    }
    state = await gateways.call_with_key("evolution", "GET", "/evolution/instance/connectionState/shop")
    assert state.body == {"instance": {"instanceName": "shop", "state": "open"}}
    numbers = await gateways.call_with_key(
        "evolution", "POST", "/evolution/chat/whatsappNumbers/shop", {"numbers": [CUSTOMER]}
    )
    assert numbers.body == [{"jid": f"{CUSTOMER}@s.whatsapp.net", "exists": True, "number": CUSTOMER}]


def a_form(media_type: str, size_bytes: int = 5, **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in {"messaging_product": "whatsapp", "type": media_type, **fields}.items():
        form.add_field(name, value)
    form.add_field("file", io.BytesIO(b"x" * size_bytes), filename="offer.bin", content_type=media_type)
    return form


async def test_an_upload_is_sent_by_its_id_by_its_own_number_as_its_own_kind(gateways: SimulatorClient) -> None:
    path = "/cloud/v23.0/100/media"
    media_id = (await gateways.call_with_key("cloud_api", "POST", path, a_form("image/png"))).body["id"]
    sent = await gateways.send_over("cloud_api", CUSTOMER, type="image", image={"id": media_id})
    as_sound = await gateways.send_over("cloud_api", CUSTOMER, type="audio", audio={"id": media_id})
    assert (sent.status, as_sound.status, as_sound.body["error"]["code"]) == (200, 400, 131053)
    assert [line["kind"] for line in await gateways.ledger()] == ["image"]


@pytest.mark.parametrize(
    ("media_type", "size_bytes", "product", "code"),
    [
        ("image/png", 0, "whatsapp", 131053),
        ("image/png", 5 * 1024 * 1024 + 1, "whatsapp", 131053),
        ("picture", 5, "whatsapp", 131053),
        ("image/png", 5, "telegram", 100),
    ],
)
async def test_a_wrong_upload_is_refused(
    gateways: SimulatorClient, media_type: str, size_bytes: int, product: str, code: int
) -> None:
    form = a_form(media_type, size_bytes, messaging_product=product)
    reply = await gateways.call_with_key("cloud_api", "POST", "/cloud/v23.0/100/media", form)
    assert (reply.status, reply.body["error"]["code"]) == (400, code)


def test_an_upload_is_valid_for_thirty_days_over_restarts(tmp_path: Path) -> None:
    now: datetime = wall_now()
    uploads = MediaUploads(tmp_path)
    uploads.open()
    kept = [uploads.add("100", "image/png", "ab", 5, now) for _ in range(2)]
    uploads.close()
    again = MediaUploads(tmp_path)
    again.open()
    assert [again.find("100", each.media_id, now + timedelta(days=29)) for each in kept] == kept
    assert again.find("100", kept[0].media_id, now + timedelta(days=30)) is None
    assert again.find("200", kept[0].media_id, now) is None
    assert again.add("100", "image/png", "ab", 5, now).media_id not in {each.media_id for each in kept}
    again.close()
