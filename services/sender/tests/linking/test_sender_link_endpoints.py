"""Linking endpoints: what the ingress asks over HTTP, and which reports follow."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.health_poller import HealthPoller, PollPeriod
from sender.gateways.http_client import GatewayClient
from sender.gateways.linked_device import LinkedDevice
from sender.gateways.postgres import PostgresPollSchedule
from sender.gateways.waha import DEVICE
from sender.linking.endpoints import LinkEndpoints, add_link_endpoints
from sender.linking.waha import WahaLinker
from sender.testing import NOON, FixedPackages
from sender.testing.files import MemoryMedia
from sender.testing.gateway_server import KEYS, GatewayServer, Respond, profile_at
from spreader.contract.configuration import Profile
from spreader.contract.events import ProfileReported
from spreader.testing import ManualClock, MemoryBus

pytestmark = pytest.mark.postgres

URL = "https://spreader.example.com/api/v1/webhooks/waha/pkg/p1"
WORKING = Respond(200, {"status": "WORKING", "config": {}})


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(NOON)


@pytest.fixture
def configured(server: GatewayServer) -> Profile:
    return profile_at("waha", server.base_url)


@pytest.fixture
async def http(
    engine: AsyncEngine, client: GatewayClient, drivers: dict[str, Driver], configured: Profile, bus: MemoryBus
) -> AsyncGenerator[AsyncClient]:
    linker = WahaLinker(LinkedDevice(client, Keyring(KEYS), MemoryMedia(), 5, *DEVICE))
    config = SenderConfigCache(FixedPackages((configured,)), wait_seconds=0)
    period = PollPeriod(timedelta(0), Random(1))
    poller = HealthPoller(PostgresPollSchedule(engine), drivers, bus, ManualClock(NOON), period)
    app = FastAPI()
    add_link_endpoints(app, LinkEndpoints({"waha": linker}, {"waha": linker}, config, poller))
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://sender") as http:
        yield http


def request_for(profile: Profile, **more: Any) -> dict[str, Any]:
    gateway = profile.gateway.model_dump(exclude={"holder"})
    return {"package_id": "pkg", "profile_id": profile.profile_id, "phone": profile.phone, **gateway, **more}


def sessions(bus: MemoryBus) -> list[str | None]:
    return [each.session for each in bus.of(ProfileReported)]


async def test_a_link_is_begun_and_its_end_is_reported_once(
    http: AsyncClient, server: GatewayServer, bus: MemoryBus, configured: Profile
) -> None:
    scan = Respond(200, {"status": "SCAN_QR_CODE"})
    server.will(scan, scan, Respond(200, {"mimetype": "image/png", "data": "iVBORw0KGgo="}))
    begun = (await http.post("/profiles/link", json=request_for(configured, method="qr", webhook_url=URL))).json()
    assert begun == {
        "session": "unlinked", "detail": "WAHA: the session is SCAN_QR_CODE", "refused": False,
        "qr_png": "iVBORw0KGgo=", "code": None,
    }  # fmt: skip
    assert sessions(bus) == []
    for method, reported in (("qr", ["working"]), (None, ["working"])):
        server.will(WORKING)
        shown = await http.post("/profiles/link/progress", json=request_for(configured, method=method))
        assert (shown.json()["session"], sessions(bus)) == ("working", reported)


async def test_a_log_out_is_reported(
    http: AsyncClient, server: GatewayServer, bus: MemoryBus, configured: Profile
) -> None:
    server.will(Respond(500, {"exception": {"message": "no"}}), Respond(201, {"status": "STARTING"}))
    assert (await http.post("/profiles/logout", json=request_for(configured))).json()["session"] is None
    assert sessions(bus) == []
    assert (await http.post("/profiles/logout", json=request_for(configured))).json()["session"] == "unlinked"
    assert sessions(bus) == ["unlinked"]


async def test_a_link_with_other_credentials_says_nothing_about_the_profile(
    http: AsyncClient, server: GatewayServer, bus: MemoryBus
) -> None:
    server.will(WORKING)
    other = request_for(profile_at("waha", server.base_url), method="qr")  # sealed again
    assert (await http.post("/profiles/link/progress", json=other)).json()["session"] == "working"
    assert sessions(bus) == []


async def test_a_webhook_is_set(http: AsyncClient, server: GatewayServer, configured: Profile) -> None:
    shown = Respond(200, {"status": "STARTING", "config": {"webhooks": [{"url": URL}]}})
    server.will(WORKING, Respond(200, {}), shown)
    more = {"webhook_url": URL, "restart": True}
    answer = (await http.post("/profiles/webhook", json=request_for(configured, **more))).json()
    assert (answer["set"], answer["call_due"]) == (True, True)
    assert [(step["name"], step["ok"]) for step in answer["steps"]] == [
        ("session", True), ("set", True), ("read back", True),
    ]  # fmt: skip


async def test_credentials_that_cannot_be_decrypted_are_a_refusal(
    http: AsyncClient, server: GatewayServer, configured: Profile
) -> None:
    unreadable = request_for(configured, sealed=None, method="qr")
    progress = (await http.post("/profiles/link", json=unreadable)).json()
    assert (progress["session"], progress["refused"]) == ("failed", True)
    answer = (await http.post("/profiles/webhook", json={**unreadable, "webhook_url": URL})).json()
    assert (answer["set"], [step["name"] for step in answer["steps"]]) == (False, ["credentials"])
    assert server.requests == []


@pytest.mark.parametrize("path", ["/profiles/link", "/profiles/link/progress", "/profiles/logout", "/profiles/webhook"])
async def test_a_gateway_without_sessions_is_not_found(http: AsyncClient, configured: Profile, path: str) -> None:
    request = request_for(configured, driver="simulator", method="qr", webhook_url=URL)
    assert (await http.post(path, json=request)).status_code == 404
