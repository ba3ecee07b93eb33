"""WAHA linking: sessions are created, started, shown and logged out, and their webhooks are set."""

from typing import Any

import pytest

from sender.gateways.credentials import Keyring
from sender.gateways.http_client import GatewayClient
from sender.gateways.linked_device import LinkedDevice
from sender.gateways.waha import DEVICE
from sender.linking.linker import LinkProgress
from sender.linking.waha import EVENTS, RETRIES, WahaLinker
from sender.testing.files import MemoryMedia
from sender.testing.gateway_server import KEYS, GatewayServer, Respond, profile_at

URL = "https://spreader.example.com/api/v1/webhooks/waha/pkg/p1"
WEBHOOK = {"url": URL, "events": [*EVENTS, "engine.event"], "hmac": {"key": "secret-hmac"}, "retries": RETRIES}
CONFIG = {"metadata": {"profile.id": "p1"}, "webhooks": [WEBHOOK]}
NO_SESSION = Respond(404, {"message": "Session not found", "error": "Not Found", "statusCode": 404})
QR_DATA = Respond(200, {"mimetype": "image/png", "data": "iVBORw0KGgo="})
PHONE = "201111111111"


def at(status: str, **more: Any) -> Respond:
    return Respond(200, {"name": "default", "status": status, "config": {}, **more})


def calls(server: GatewayServer) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


@pytest.fixture
def linker(client: GatewayClient) -> WahaLinker:
    return WahaLinker(LinkedDevice(client, Keyring(KEYS), MemoryMedia(), 5, *DEVICE))


async def test_a_missing_session_is_created_with_our_webhook(linker: WahaLinker, server: GatewayServer) -> None:
    server.will(NO_SESSION, Respond(201, {"name": "default", "status": "STARTING"}), at("SCAN_QR_CODE"), QR_DATA)
    progress = await linker.begin(profile_at("waha", server.base_url), "qr", URL)
    assert progress == LinkProgress("unlinked", "WAHA: the session is SCAN_QR_CODE", qr_png="iVBORw0KGgo=")
    assert calls(server)[1:] == [
        "POST /api/sessions", "GET /api/sessions/default", "GET /api/default/auth/qr?format=image",
    ]  # fmt: skip
    assert server.requests[1].body == {"name": "default", "start": True, "config": CONFIG}
    assert server.requests[3].headers["Accept"] == "application/json"
    assert "iVBORw0KGgo=" not in repr(progress)


async def test_an_older_waha_gets_a_session_without_the_event_that_it_refuses(
    linker: WahaLinker, server: GatewayServer
) -> None:
    refusal = Respond(400, {"message": ["config.webhooks.0.each value in events must be one of …"]})
    server.will(NO_SESSION, refusal, Respond(201, {}), at("STARTING"))
    assert (await linker.begin(profile_at("waha", server.base_url), "qr", URL)).session == "starting"
    assert server.requests[2].body["config"]["webhooks"][0]["events"] == [*EVENTS]


@pytest.mark.parametrize(("status", "call"), [("STOPPED", "start"), ("FAILED", "restart")])
async def test_a_session_that_does_not_run_is_started(
    linker: WahaLinker, server: GatewayServer, status: str, call: str
) -> None:
    server.will(at(status), at("STARTING"), at("STARTING"))
    progress = await linker.begin(profile_at("waha", server.base_url), "qr", None)
    assert (progress.session, progress.refused) == ("starting", False)
    assert calls(server)[1] == f"POST /api/sessions/default/{call}"


async def test_a_session_that_somebody_else_has_just_started_is_no_failure(
    linker: WahaLinker, server: GatewayServer
) -> None:
    started = {"message": "Session 'default' is already started.", "statusCode": 422}
    server.will(at("STOPPED"), Respond(422, started), at("WORKING"))
    progress = await linker.begin(profile_at("waha", server.base_url), "qr", None)
    assert (progress.session, progress.refused) == ("working", False)


async def test_a_code_is_requested_once_the_session_waits(linker: WahaLinker, server: GatewayServer) -> None:
    profile = profile_at("waha", server.base_url)
    server.will(at("STARTING"), at("STARTING"))
    assert (await linker.begin(profile, "code", None)).code is None
    server.will(at("SCAN_QR_CODE"), Respond(201, {"code": "ABCD-EFGH"}))
    progress = await linker.progress(profile, "code", has_code=False)
    assert progress.code == "ABCD-EFGH"
    assert "ABCD" not in repr(progress)
    assert calls(server)[-1] == "POST /api/default/auth/request-code"
    assert server.requests[-1].body == {"phoneNumber": PHONE}
    server.will(at("SCAN_QR_CODE"))
    assert (await linker.progress(profile, "code", has_code=True)).code is None
    assert calls(server)[-1] == "GET /api/sessions/default"


async def test_an_image_that_comes_as_a_file_is_shown_too(linker: WahaLinker, server: GatewayServer) -> None:
    server.will(at("SCAN_QR_CODE"), Respond(200, raw=b"\x89PNG\r\n\x1a\n"))
    progress = await linker.progress(profile_at("waha", server.base_url), "qr", has_code=False)
    assert progress.qr_png == "iVBORw0KGgo="


@pytest.mark.parametrize("status", ["PASSKEY_REQUIRED", "PASSKEY_CONFIRMATION_REQUIRED"])
async def test_a_passkey_is_explained(linker: WahaLinker, server: GatewayServer, status: str) -> None:
    server.will(at(status))
    progress = await linker.progress(profile_at("waha", server.base_url), "qr", has_code=False)
    assert (progress.session, progress.refused) == ("unlinked", False)
    assert progress.detail.endswith("Answer the passkey request in WAHA's own dashboard")


FAILURES = [
    (Respond(401, {"message": "Unauthorized", "statusCode": 401}), True),
    (Respond(422, {"message": "WAHA Core support only 'default' session."}), True),
    (Respond(422, {"error": "Session status is not as expected.", "status": "STARTING"}), False),
    (Respond(500, {"exception": {"message": "Connection Closed"}}), False),
    (Respond(429, {}), False),
]


@pytest.mark.parametrize(("answer", "refused"), FAILURES)
async def test_only_a_lasting_refusal_ends_a_linking(
    linker: WahaLinker, server: GatewayServer, answer: Respond, refused: bool
) -> None:
    server.will(at("SCAN_QR_CODE"), answer)
    progress = await linker.progress(profile_at("waha", server.base_url), "code", has_code=False)
    assert (progress.session, progress.refused) == ("failed" if refused else None, refused)


async def test_a_log_out(linker: WahaLinker, server: GatewayServer) -> None:
    server.will(at("STARTING"))
    assert (await linker.log_out(profile_at("waha", server.base_url))).session == "unlinked"
    assert calls(server) == ["POST /api/sessions/default/logout"]


async def test_a_running_session_is_not_restarted_without_a_word(linker: WahaLinker, server: GatewayServer) -> None:
    server.will(at("WORKING"))
    result = await linker.set_webhook(profile_at("waha", server.base_url), URL, restart=False, waba_id=None)
    assert (result.is_set, result.call_due) == (False, False)
    assert [(step.name, step.ok) for step in result.steps] == [("session", True), ("set", False)]
    assert result.steps[1].detail.endswith("Nothing was changed")
    assert calls(server) == ["GET /api/sessions/default"]


async def test_a_new_webhook_keeps_the_rest_of_the_configuration(linker: WahaLinker, server: GatewayServer) -> None:
    foreign = {"url": "https://crm.example.com/hook", "events": ["message"]}
    older = {**WEBHOOK, "url": "http://10.0.0.1:8000/api/v1/webhooks/waha/pkg/p1"}
    kept = {"proxy": {"server": "localhost:3128"}, "noweb": {"store": {"enabled": True}}, "debug": False}
    config = {**kept, "metadata": {"user.id": "7"}, "webhooks": [foreign, older]}
    new = {**kept, "metadata": {"user.id": "7", "profile.id": "p1"}, "webhooks": [foreign, WEBHOOK]}
    server.will(at("WORKING", config=config), at("STARTING"), at("STARTING", config=new))
    result = await linker.set_webhook(profile_at("waha", server.base_url), URL, restart=True, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps] == [("session", True), ("set", True), ("read back", True)]
    assert (result.is_set, result.call_due) == (True, True)
    assert (calls(server)[1], server.requests[1].body) == ("PUT /api/sessions/default", {"config": new})


async def test_a_stopped_session_needs_no_confirmation_and_calls_nobody(
    linker: WahaLinker, server: GatewayServer
) -> None:
    server.will(at("STOPPED"), at("STOPPED"), at("STOPPED", config=CONFIG))
    result = await linker.set_webhook(profile_at("waha", server.base_url), URL, restart=False, waba_id=None)
    assert (result.is_set, result.call_due) == (True, False)
    assert "stopped" in result.no_call


async def test_a_webhook_of_an_older_waha_lacks_the_event_that_it_refuses(
    linker: WahaLinker, server: GatewayServer
) -> None:
    server.will(at("WORKING"), Respond(400, {"message": ["events"]}), at("STARTING"), at("STARTING", config=CONFIG))
    result = await linker.set_webhook(profile_at("waha", server.base_url), URL, restart=True, waba_id=None)
    assert result.is_set
    assert "without the event engine.event" in result.steps[1].detail
    assert server.requests[2].body["config"]["webhooks"][0]["events"] == [*EVENTS]


async def test_a_webhook_needs_a_session(linker: WahaLinker, server: GatewayServer) -> None:
    server.will(NO_SESSION)
    result = await linker.set_webhook(profile_at("waha", server.base_url), URL, restart=True, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps] == [("session", False)]
    assert "Link the profile first" in result.steps[0].detail
