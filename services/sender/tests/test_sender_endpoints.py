"""Endpoints: checks of a profile and of numbers over HTTP."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from random import Random

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.endpoints import CheckEndpoints, add_endpoints
from sender.gateways.driver import Driver
from sender.gateways.health_poller import HealthPoller, PollPeriod
from sender.gateways.number_check import NumberChecker
from sender.gateways.postgres import PostgresNumbers, PostgresPollSchedule
from sender.testing import NOON, FixedPackages
from sender.testing.gateway_server import GatewayServer, profile_at
from spreader.contract.configuration import Profile
from spreader.contract.events import ProfileReported
from spreader.testing import ManualClock, MemoryBus

pytestmark = pytest.mark.postgres

ANN, BOB = "201000000001", "201000000002"


@pytest.fixture
def configured(server: GatewayServer) -> Profile:
    return profile_at("waha", server.base_url)


@pytest.fixture
async def http(
    engine: AsyncEngine, drivers: dict[str, Driver], configured: Profile, bus: MemoryBus
) -> AsyncGenerator[AsyncClient]:
    app, clock = FastAPI(), ManualClock(NOON)
    numbers = NumberChecker(PostgresNumbers(engine), drivers, clock, per_hour=60)
    config = SenderConfigCache(FixedPackages((configured,)), wait_seconds=0)
    poller = HealthPoller(PostgresPollSchedule(engine), drivers, bus, clock, PollPeriod(timedelta(0), Random(1)))
    add_endpoints(app, CheckEndpoints(drivers, config, numbers, poller))
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://sender") as client:
        yield client


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(NOON)


def request_for(profile: Profile) -> dict[str, object]:
    return {
        "package_id": "pkg",
        "profile_id": profile.profile_id,
        **profile.gateway.model_dump(exclude={"holder"}),
    }


async def test_a_profile_that_does_not_exist_yet_can_be_checked(
    http: AsyncClient, bus: MemoryBus, server: GatewayServer
) -> None:
    request = request_for(profile_at("evolution", server.base_url, "new"))
    answer = (await http.post("/profiles/check", json=request)).json()
    assert answer.pop("took_seconds") >= 0
    assert answer == {
        "ok": True,
        "session": "working",
        "quality": None,
        "detail": "the session is working",
        "code": None,
    }
    wrong = (await http.post("/profiles/check", json={**request, "profile_id": "other"})).json()
    assert (wrong["ok"], wrong["session"], wrong["code"]) == (False, "failed", "credentials")
    assert "sealed for another profile" in wrong["detail"]
    assert bus.published == []


async def test_a_check_of_an_existing_profile_is_reported_at_once(
    http: AsyncClient, bus: MemoryBus, server: GatewayServer, configured: Profile
) -> None:
    """The report reopens a lane that was closed for wrong credentials."""
    await http.post("/profiles/check", json=request_for(configured))
    await http.post(
        "/profiles/check", json=request_for(profile_at("waha", server.base_url))
    )  # new credentials, not saved
    assert [(each.profile_id, each.session) for each in bus.of(ProfileReported)] == [("p1", "working")]


@pytest.mark.parametrize("change", [{"base_url": "another"}, {"account": "another"}])
async def test_a_check_with_another_address_says_nothing_about_the_present_profile(
    http: AsyncClient, bus: MemoryBus, server: GatewayServer, configured: Profile, change: dict[str, str]
) -> None:
    """The credentials are those of the profile, but it uses another server or account."""
    request = {**request_for(configured), **change}
    if "base_url" in change:
        request["base_url"] = server.base_url.replace("127.0.0.1", "localhost")
    answer = (await http.post("/profiles/check", json=request)).json()
    assert "took_seconds" in answer
    assert bus.published == []


async def test_numbers_are_checked_through_a_configured_profile(http: AsyncClient) -> None:
    request = {"package_id": "pkg", "profile_id": "p1", "numbers": [ANN, BOB]}
    answer = (await http.post("/numbers/check", json=request)).json()
    assert [(each["number"], each["exists"]) for each in answer["numbers"]] == [(ANN, True), (BOB, True)]
    assert (await http.post("/numbers/check", json={**request, "profile_id": "p9"})).status_code == 404
    assert (await http.post("/numbers/check", json={**request, "numbers": []})).status_code == 422
    assert (await http.post("/numbers/check", json={**request, "numbers": [ANN] * 101})).status_code == 422
