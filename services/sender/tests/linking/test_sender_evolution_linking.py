"""Evolution linking: instances are created, connected, shown and logged out, and their webhooks are set."""

from typing import Any

import pytest

from sender.gateways.credentials import Keyring
from sender.gateways.evolution import DEVICE
from sender.gateways.http_client import GatewayClient
from sender.gateways.linked_device import LinkedDevice
from sender.linking.evolution import EVENTS, EvolutionLinker
from sender.testing.files import MemoryMedia
from sender.testing.gateway_server import KEYS, GatewayServer, Respond, profile_at

URL = "https://spreader.example.com/api/v1/webhooks/evolution/pkg/p1"
WEBHOOK: dict[str, Any] = {
    "enabled": True, "url": URL, "headers": {"Authorization": "Bearer secret-webhook"}, "byEvents": False,
    "base64": False, "events": [*EVENTS],
}  # fmt: skip
NO_INSTANCE = Respond(
    404, {"status": 404, "error": "Not Found", "response": {"message": ['The "shop 1" instance does not exist']}}
)
QR = {"pairingCode": None, "code": "2@abc", "base64": "data:image/png;base64,iVBORw0KGgo=", "count": 1}
CODE = {**QR, "pairingCode": "ABCDEFGH"}
NOT_CONNECTED = Respond(
    400, {"status": 400, "error": "Bad Request", "response": {"message": ['The "shop 1" instance is not connected']}}
)
PHONE = "201111111111"


def at(state: str | None) -> Respond:
    return Respond(200, {"instance": {"instanceName": "shop 1"} | ({} if state is None else {"state": state})})


def calls(server: GatewayServer) -> list[str]:
    return [f"{request.method} {request.path}" for request in server.requests]


@pytest.fixture
def linker(client: GatewayClient) -> EvolutionLinker:
    return EvolutionLinker(LinkedDevice(client, Keyring(KEYS), MemoryMedia(), 5, *DEVICE))


@pytest.mark.parametrize(("method", "number"), [("qr", {}), ("code", {"number": PHONE})])
async def test_a_missing_instance_is_created_with_our_webhook(
    linker: EvolutionLinker, server: GatewayServer, method: Any, number: dict[str, str]
) -> None:
    server.will(NO_INSTANCE, Respond(201, {"instance": {"status": "connecting"}, "qrcode": CODE}))
    progress = await linker.begin(profile_at("evolution", server.base_url), method, URL)
    assert (progress.session, progress.qr_png, progress.code) == ("unlinked", "iVBORw0KGgo=", "ABCDEFGH")
    assert "ABCDEFGH" not in repr(progress)
    assert calls(server)[1] == "POST /instance/create"
    assert server.requests[1].body == {
        "instanceName": "shop 1", "integration": "WHATSAPP-BAILEYS", "qrcode": True, **number, "webhook": WEBHOOK,
    }  # fmt: skip


async def test_a_key_of_one_instance_may_not_create_another(linker: EvolutionLinker, server: GatewayServer) -> None:
    unauthorized = {"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}
    server.will(NO_INSTANCE, Respond(401, unauthorized))
    progress = await linker.begin(profile_at("evolution", server.base_url), "qr", URL)
    assert (progress.session, progress.refused) == ("failed", True)


@pytest.mark.parametrize(("method", "query"), [("qr", ""), ("code", f"?number={PHONE}")])
async def test_a_closed_instance_is_connected(
    linker: EvolutionLinker, server: GatewayServer, method: Any, query: str
) -> None:
    server.will(at("close"), Respond(200, CODE))
    assert (await linker.begin(profile_at("evolution", server.base_url), method, None)).code == "ABCDEFGH"
    assert calls(server)[1] == f"GET /instance/connect/shop%201{query}"


async def test_an_instance_that_shows_images_is_logged_out_before_it_makes_a_code(
    linker: EvolutionLinker, server: GatewayServer
) -> None:
    done = Respond(200, {"status": "SUCCESS", "error": False, "response": {"message": "Instance logged out"}})
    server.will(at("connecting"), Respond(200, QR), done, at("connecting"), at("close"), Respond(200, CODE))
    progress = await linker.begin(profile_at("evolution", server.base_url), "code", None)
    assert progress.code == "ABCDEFGH"
    assert calls(server)[2] == "DELETE /instance/logout/shop%201"
    assert calls(server)[-1] == f"GET /instance/connect/shop%201?number={PHONE}"


async def test_progress_never_opens_a_connection(linker: EvolutionLinker, server: GatewayServer) -> None:
    """After the scan, the connection is closed for a short time, and Evolution itself connects again."""
    profile = profile_at("evolution", server.base_url)
    server.will(at("close"))
    progress = await linker.progress(profile, "qr", has_code=False)
    assert (progress.session, progress.refused, len(server.requests)) == ("stopped", False, 1)
    server.will(at("open"))
    assert (await linker.progress(profile, "qr", has_code=False)).session == "working"
    server.will(at("connecting"), Respond(200, QR))
    assert (await linker.progress(profile, "qr", has_code=False)).qr_png == "iVBORw0KGgo="
    server.will(at("connecting"))
    assert (await linker.progress(profile, None, has_code=False)).qr_png is None


@pytest.mark.parametrize("shown", [{"pairingCode": None, "code": None, "base64": None, "count": 0}, {}])
async def test_an_instance_shows_nothing_at_first(
    linker: EvolutionLinker, server: GatewayServer, shown: dict[str, Any]
) -> None:
    server.will(at("close"), Respond(200, shown))
    progress = await linker.begin(profile_at("evolution", server.base_url), "qr", None)
    assert (progress.session, progress.refused, progress.qr_png, progress.code) == ("unlinked", False, None, None)


async def test_an_instance_that_is_not_loaded_is_refused(linker: EvolutionLinker, server: GatewayServer) -> None:
    server.will(at(None))
    progress = await linker.begin(profile_at("evolution", server.base_url), "qr", None)
    assert (progress.refused, "has not loaded it" in progress.detail) == (True, True)


async def test_an_error_with_status_200_is_said(linker: EvolutionLinker, server: GatewayServer) -> None:
    server.will(at("close"), Respond(200, {"error": True, "message": "Error: boom"}))
    progress = await linker.begin(profile_at("evolution", server.base_url), "qr", None)
    assert (progress.session, progress.detail) == (None, "Evolution API: Error: boom")


@pytest.mark.parametrize("answer", [Respond(200, {"status": "SUCCESS"}), NOT_CONNECTED])
async def test_a_log_out(linker: EvolutionLinker, server: GatewayServer, answer: Respond) -> None:
    server.will(answer)
    assert (await linker.log_out(profile_at("evolution", server.base_url))).session == "unlinked"
    assert calls(server) == ["DELETE /instance/logout/shop%201"]


async def test_a_webhook_is_set_and_read_back(linker: EvolutionLinker, server: GatewayServer) -> None:
    shown = Respond(200, {"url": URL, "enabled": True, "headers": {"Authorization": "Bearer secret-webhook"}})
    server.will(at("open"), Respond(201, {}), shown)
    result = await linker.set_webhook(profile_at("evolution", server.base_url), URL, restart=False, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps] == [("session", True), ("set", True), ("read back", True)]
    assert (result.is_set, result.call_due) == (True, False)
    assert "no test call" in result.no_call
    assert (calls(server)[1], server.requests[1].body) == ("POST /webhook/set/shop%201", {"webhook": WEBHOOK})


async def test_a_restart_makes_the_instance_report(linker: EvolutionLinker, server: GatewayServer) -> None:
    restarted = Respond(200, {"instance": {"instanceName": "shop 1", "state": "open"}})
    server.will(at("open"), Respond(201, {}), Respond(200, {"url": "https://other", "enabled": True}), restarted)
    result = await linker.set_webhook(profile_at("evolution", server.base_url), URL, restart=True, waba_id=None)
    assert [(step.name, step.ok) for step in result.steps][2:] == [("read back", False), ("restart", True)]
    assert result.call_due
    assert calls(server)[-1] == "POST /instance/restart/shop%201"


async def test_a_closed_instance_reports_nothing(linker: EvolutionLinker, server: GatewayServer) -> None:
    server.will(at("close"), Respond(201, {}), Respond(200, {"url": URL, "enabled": True}))
    result = await linker.set_webhook(profile_at("evolution", server.base_url), URL, restart=True, waba_id=None)
    assert (result.is_set, result.call_due) == (True, False)
    assert "not connected" in result.no_call
