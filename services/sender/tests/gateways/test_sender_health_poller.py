"""Watch and endpoints: how profiles stand at their gateways, told when it changes and when somebody asks."""

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
from sender.gateways.health_poller import REPEAT, HealthPoller, PollPeriod
from sender.gateways.number_check import NumberChecker
from sender.gateways.postgres import FirstCheck, PostgresNumbers, PostgresPollSchedule
from sender.testing import NOON, FixedPackages, profile
from sender.testing.gateway_server import GatewayServer, Respond, profile_at
from spreader.contract.configuration import Driver as Name
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured, ProfileReported
from spreader.testing import ManualClock, MemoryBus

pytestmark = pytest.mark.postgres

ANN, BOB = "201000000001", "201000000002"


def watch(engine: AsyncEngine, drivers: dict[str, Driver], bus: MemoryBus, clock: ManualClock) -> HealthPoller:
    period = PollPeriod(timedelta(0), Random(1))
    return HealthPoller(PostgresPollSchedule(engine), drivers, bus, clock, period)


def configured(*profiles: Profile) -> PackageConfigured:
    return PackageConfigured(package=Package(package_id="pkg", version=1, name="pkg", profiles=profiles), at=NOON)


def number_info(**fields: str) -> Respond:
    return Respond(200, {"id": "1", "status": "CONNECTED", "quality_rating": "GREEN", **fields})


async def test_the_watch_tells_what_changed_and_now_and_then_that_nothing_did(
    engine: AsyncEngine, drivers: dict[str, Driver], wire: GatewayServer
) -> None:
    bus, clock = MemoryBus(NOON), ManualClock(NOON)
    looking = watch(engine, drivers, bus, clock)
    looking.on_change("pkg", configured(profile_at("cloud_api", wire.base_url)))
    story = [
        (number_info(), ("working", "green", None)),
        (number_info(), None),
        (number_info(quality_rating="YELLOW"), ("working", "yellow", None)),
        (Respond(401, {"error": {"code": 190, "message": "expired"}}), ("failed", None, "190")),
        (Respond(502), None),  # silence says nothing of the profile
        (Respond(401, {"error": {"code": 190, "message": "expired"}}), None),
        (number_info(), ("working", "green", None)),
    ]
    for answer, expected in story:
        wire.will(answer)
        before = len(bus.published)
        await looking.turn()
        told = [(each.session, each.quality, each.code) for each in bus.of(ProfileReported)[before:]]
        assert told == ([] if expected is None else [expected])
    clock.forward(REPEAT)
    await looking.turn()
    assert len(bus.published) == 5
    assert len({each.event_id for each in bus.published}) == 5


@pytest.mark.parametrize(
    ("driver", "answer", "session"),
    [
        ("waha", {"status": "WORKING"}, "working"),
        ("waha", {"status": "SCAN_QR_CODE"}, "unlinked"),
        ("waha", {"status": "PASSKEY_REQUIRED"}, "unlinked"),
        ("waha", {"status": "FAILED"}, "failed"),
        ("waha", {"status": "STOPPED"}, "stopped"),
        ("waha", {"status": "STARTING"}, "starting"),
        ("evolution", {"instance": {"state": "open"}}, "working"),
        ("evolution", {"instance": {"state": "connecting"}}, "starting"),
        ("evolution", {"instance": {"state": "close"}}, "stopped"),
        ("evolution", {"instance": {"state": "refused"}}, "unlinked"),
        ("cloud_api", {"id": "1"}, "working"),
        ("cloud_api", {"id": "1", "status": "BANNED"}, "failed"),
        ("cloud_api", {"id": "1", "status": "DISCONNECTED"}, "stopped"),
    ],
)
async def test_each_word_for_a_session_has_its_meaning(
    drivers: dict[str, Driver], wire: GatewayServer, driver: Name, answer: dict[str, object], session: str
) -> None:
    wire.will(Respond(200, answer))
    checked = await drivers[driver].check(profile_at(driver, wire.base_url))
    assert (checked.session, checked.ok) == (session, session == "working")


async def test_two_senders_share_the_watch_and_leave_simulators_alone(
    engine: AsyncEngine, drivers: dict[str, Driver], wire: GatewayServer
) -> None:
    bus, clock = MemoryBus(NOON), ManualClock(NOON)
    package = configured(
        profile(wire.base_url, "sim"), *(profile_at("waha", wire.base_url, f"p{n}") for n in range(20))
    )
    first, second = watch(engine, drivers, bus, clock), watch(engine, drivers, bus, clock)
    store = PostgresPollSchedule(engine)
    real = [profile for profile in package.package.profiles if profile.profile_id != "sim"]
    await store.follow("pkg", [FirstCheck(profile.profile_id, 0.0) for profile in real])
    taken = [each.profile_id for some in (store.take(12, REPEAT), store.take(12, REPEAT)) for each in await some]
    assert sorted(taken) == sorted({*taken})
    assert len(taken) == 20
    for looking in (first, second):
        looking.on_change("pkg", package)
        await looking.turn()
    assert wire.requests == []  # the others have them all
    first.on_change("pkg", configured())
    await first.turn()
    assert await store.take(100, REPEAT) == []


@pytest.fixture
def known(wire: GatewayServer) -> Profile:
    return profile_at("waha", wire.base_url)


@pytest.fixture
async def http(
    engine: AsyncEngine, drivers: dict[str, Driver], known: Profile, bus: MemoryBus
) -> AsyncGenerator[AsyncClient]:
    app, clock = FastAPI(), ManualClock(NOON)
    numbers = NumberChecker(PostgresNumbers(engine), drivers, clock, per_hour=60)
    profiles = SenderConfigCache(FixedPackages((known,)), wait_seconds=0)
    add_endpoints(app, CheckEndpoints(drivers, profiles, numbers, watch(engine, drivers, bus, clock)))
    async with AsyncClient(transport=ASGITransport(app=app), base_url="http://sender") as client:
        yield client


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(NOON)


def ask_of(profile: Profile) -> dict[str, object]:
    return {
        "package_id": "pkg",
        "profile_id": profile.profile_id,
        **profile.gateway.model_dump(exclude={"holder"}),
    }


async def test_a_profile_that_is_only_being_made_can_be_checked(
    http: AsyncClient, bus: MemoryBus, wire: GatewayServer
) -> None:
    ask = ask_of(profile_at("evolution", wire.base_url, "new"))
    answer = (await http.post("/profiles/check", json=ask)).json()
    assert answer.pop("took_seconds") >= 0
    assert answer == {
        "ok": True, "session": "working", "quality": None, "detail": "the session is working", "code": None,
    }  # fmt: skip
    wrong = (await http.post("/profiles/check", json={**ask, "profile_id": "other"})).json()
    assert (wrong["ok"], wrong["session"], wrong["code"]) == (False, "failed", "credentials")
    assert "sealed for another profile" in wrong["detail"]
    assert bus.published == []


async def test_a_check_of_a_profile_that_exists_is_told_at_once(
    http: AsyncClient, bus: MemoryBus, wire: GatewayServer, known: Profile
) -> None:
    """A lane that was closed for a wrong key opens by it."""
    await http.post("/profiles/check", json=ask_of(known))
    await http.post("/profiles/check", json=ask_of(profile_at("waha", wire.base_url)))  # new credentials, not saved
    assert [(each.profile_id, each.session) for each in bus.of(ProfileReported)] == [("p1", "working")]


async def test_numbers_are_checked_through_a_profile_that_is_known(http: AsyncClient) -> None:
    ask = {"package_id": "pkg", "profile_id": "p1", "numbers": [ANN, BOB]}
    answer = (await http.post("/numbers/check", json=ask)).json()
    assert [(each["number"], each["exists"]) for each in answer["numbers"]] == [(ANN, True), (BOB, True)]
    assert (await http.post("/numbers/check", json={**ask, "profile_id": "p9"})).status_code == 404
    assert (await http.post("/numbers/check", json={**ask, "numbers": []})).status_code == 422
    assert (await http.post("/numbers/check", json={**ask, "numbers": [ANN] * 101})).status_code == 422
