"""Health poller: profiles are checked at their gateways, and changes are reported."""

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.gateways.driver import Driver
from sender.gateways.health_poller import REPEAT, HealthPoller, PollPeriod
from sender.gateways.postgres import FirstCheck, PostgresPollSchedule
from sender.testing import NOON, profile
from sender.testing.gateway_server import GatewayServer, Respond, profile_at
from spreader.contract.configuration import Driver as Name
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured, ProfileReported
from spreader.testing import ManualClock, MemoryBus

pytestmark = pytest.mark.postgres


def poller_of(engine: AsyncEngine, drivers: dict[str, Driver], bus: MemoryBus, clock: ManualClock) -> HealthPoller:
    period = PollPeriod(timedelta(0), Random(1))
    return HealthPoller(PostgresPollSchedule(engine), drivers, bus, clock, period)


def configured(*profiles: Profile) -> PackageConfigured:
    return PackageConfigured(package=Package(package_id="pkg", version=1, name="pkg", profiles=profiles), at=NOON)


def number_info(**fields: str) -> Respond:
    return Respond(200, {"id": "1", "status": "CONNECTED", "quality_rating": "GREEN", **fields})


async def test_changes_are_reported_and_an_unchanged_state_after_an_hour(
    engine: AsyncEngine, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    bus, clock = MemoryBus(NOON), ManualClock(NOON)
    poller = poller_of(engine, drivers, bus, clock)
    poller.on_change("pkg", configured(profile_at("cloud_api", server.base_url)))
    story = [
        (number_info(), ("working", "green", None)),
        (number_info(), None),
        (number_info(quality_rating="YELLOW"), ("working", "yellow", None)),
        (Respond(401, {"error": {"code": 190, "message": "expired"}}), ("failed", None, "190")),
        (Respond(502), None),  # an unreachable gateway says nothing about the profile
        (Respond(401, {"error": {"code": 190, "message": "expired"}}), None),
        (number_info(), ("working", "green", None)),
    ]
    for answer, expected in story:
        server.will(answer)
        before = len(bus.published)
        await poller.poll_due()
        reported = [(each.session, each.quality, each.code) for each in bus.of(ProfileReported)[before:]]
        assert reported == ([] if expected is None else [expected])
    clock.forward(REPEAT)
    await poller.poll_due()
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
async def test_each_gateway_state_has_its_session_state(
    drivers: dict[str, Driver], server: GatewayServer, driver: Name, answer: dict[str, object], session: str
) -> None:
    server.will(Respond(200, answer))
    checked = await drivers[driver].check(profile_at(driver, server.base_url))
    assert (checked.session, checked.ok) == (session, session == "working")


@pytest.mark.parametrize(
    ("code", "session"), [(401, "unlinked"), (402, "failed"), (403, "failed"), (406, "failed"), (428, "stopped")]
)
async def test_a_closed_instance_of_evolution_is_told_apart_by_its_reason(
    drivers: dict[str, Driver], server: GatewayServer, code: int, session: str
) -> None:
    instance = {"name": "shop 1", "connectionStatus": "close", "disconnectionReasonCode": code}
    server.will(Respond(200, {"instance": {"state": "close"}}), Respond(200, [instance]))
    checked = await drivers["evolution"].check(profile_at("evolution", server.base_url))
    assert (checked.session, checked.code, checked.ok) == (session, str(code), False)
    assert server.requests[1].path == "/instance/fetchInstances?instanceName=shop%201"
    # While Evolution connects again by itself, its database does not say `close`, but may contain an older reason.
    server.will(
        Respond(200, {"instance": {"state": "close"}}), Respond(200, [{**instance, "connectionStatus": "open"}])
    )
    assert (await drivers["evolution"].check(profile_at("evolution", server.base_url))).session == "stopped"


async def test_wahas_lock_and_quota_are_reported_when_they_change(
    engine: AsyncEngine, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    bus, clock = MemoryBus(NOON), ManualClock(NOON)
    poller = poller_of(engine, drivers, bus, clock)
    poller.on_change("pkg", configured(profile_at("waha", server.base_url)))
    lock = {"isActive": True, "enforcementType": "DEFAULT", "timeEnforcementEnds": int(NOON.timestamp())}
    capping = {"total_quota": 100, "used_quota": 7, "capping_status": "FIRST_WARNING"}
    for me in ({}, {"reachoutTimelock": lock}, {"reachoutTimelock": lock, "messageCapping": capping}, {}):
        server.will(Respond(200, {"status": "WORKING", "me": {"id": "1@c.us", **me}}))
        await poller.poll_due()
    reports = bus.of(ProfileReported)
    assert [each.restriction and each.restriction.lanes for each in reports] == [None, ("open",), ("open",), None]
    assert [each.quota and each.quota.used for each in reports] == [None, None, 7, None]
    assert reports[1].restriction is not None
    assert reports[1].restriction.until == NOON


async def test_two_senders_share_the_checks_and_skip_simulators(
    engine: AsyncEngine, drivers: dict[str, Driver], server: GatewayServer
) -> None:
    bus, clock = MemoryBus(NOON), ManualClock(NOON)
    package = configured(
        profile(server.base_url, "sim"), *(profile_at("waha", server.base_url, f"p{n}") for n in range(20))
    )
    first, second = poller_of(engine, drivers, bus, clock), poller_of(engine, drivers, bus, clock)
    store = PostgresPollSchedule(engine)
    real = [profile for profile in package.package.profiles if profile.profile_id != "sim"]
    await store.follow("pkg", [FirstCheck(profile.profile_id, 0.0) for profile in real])
    taken = [each.profile_id for some in (store.take(12, REPEAT), store.take(12, REPEAT)) for each in await some]
    assert sorted(taken) == sorted({*taken})
    assert len(taken) == 20
    for poller in (first, second):
        poller.on_change("pkg", package)
        await poller.poll_due()
    assert server.requests == []  # the other senders have taken them all
    first.on_change("pkg", configured())
    await first.poll_due()
    assert await store.take(100, REPEAT) == []
