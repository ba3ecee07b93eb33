"""The whole service on real Kafka and Postgres: from events to published states and HTTP responses."""

import contextlib
from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text

from spreader.clock import wall_now
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.events import (
    Counts,
    CustomerMessage,
    DeliveryOutcome,
    Event,
    PackageConfigured,
    ProfileState,
    Status,
    Windows,
)
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.table import Table
from spreader.runtime.postgres import create_engine
from spreader.runtime.service import Service
from spreader.settings import Settings
from spreader.testing import SlowReader, serving
from spreader.testing.conformance import checked_client, undocumented
from stats.app import build
from stats.settings import StatsSettings
from stats.testing import documented

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

KEY = {"Authorization": "Bearer secret"}
ROWS_OF_ONE_HOUR = text("""
INSERT INTO stats.hour (profile_id, at, lane, package_id, sent)
SELECT md5(CAST(number AS text)), CAST(:at AS timestamptz), 'open', 'shop', 1
FROM generate_series(1, 5000) AS number""")
GATEWAY = Gateway(driver="simulator", base_url="http://gateway", account="account")


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return build(StatsSettings(**settings.model_dump(), api_key="secret"))


@pytest.fixture
async def running(app: FastAPI) -> AsyncGenerator[FastAPI]:
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def states(settings: Settings) -> AsyncGenerator[Table[ProfileState]]:
    table = Table(settings, ProfileState)
    reader = Service("test", [table])  # it waits: a new topic may not be known to every broker yet
    await reader.start()
    yield table
    await reader.stop()


@pytest.fixture
async def bus(settings: Settings) -> AsyncGenerator[KafkaBus]:
    broker = create_broker(settings, "test")
    await broker.connect()
    yield KafkaBus(broker, "test", wall_now)
    await broker.stop()


def client(app: FastAPI) -> httpx.AsyncClient:
    return checked_client(app, "http://stats", KEY, documented())


def configured(package: str, *profiles: str) -> PackageConfigured:
    members = tuple(Profile(profile_id=each, name=each, phone="201001234567", gateway=GATEWAY) for each in profiles)
    return PackageConfigured(
        package=Package(package_id=package, version=1, name=package, profiles=members), at=wall_now()
    )


def facts(package: str, profile: str, at: datetime) -> list[Event]:
    def outcome(delivery: str, status: Status) -> Event:
        return DeliveryOutcome(
            package_id=package, message_id="msg", delivery_id=f"{package}_{delivery}", recipient="201001234567",
            lane="open", status=status, at=at, profile_id=profile,
        )  # fmt: skip

    return [
        outcome("1", "sent"), outcome("1", "delivered"), outcome("2", "read"), outcome("3", "failed"),
        CustomerMessage(
            package_id=package, profile_id=profile, recipient="201001234567", gateway_message_id="wamid.1", at=at
        ),
    ]  # fmt: skip


async def test_events_become_states_and_responses_each_counted_once(
    running: FastAPI, states: Table[ProfileState], bus: KafkaBus
) -> None:
    await bus.publish(configured("stats-shop", "stats-sales", "stats-idle"))
    once = facts("stats-shop", "stats-sales", wall_now())
    await bus.publish(*once, *once)
    counts = Counts(
        sent=2, sent_open=2, acknowledged=2, delivered=2, read=1, failed=1, received=1, answered=0, new_contacts=1,
        unanswered=1,
    )  # fmt: skip

    def all_told() -> bool:
        sales, idle = states.get("stats-sales"), states.get("stats-idle")
        return sales is not None and idle is not None and sales.windows.day == counts

    assert await states.wait_for(all_told, 60)
    async with client(running) as http:
        listed = (await http.get("/api/v1/profiles", params={"package_id": "stats-shop"})).json()["data"]
        one = (await http.get("/api/v1/profiles/stats-sales")).json()
        other = (await http.get("/api/v1/profiles", params={"package_id": "another"})).json()
    assert [each["profile_id"] for each in listed] == ["stats-idle", "stats-sales"]
    assert listed[1]["windows"] == dict.fromkeys(Windows.model_fields, counts.model_dump())
    assert {**listed[1], "at": None, "health": None} == {**one, "at": None, "health": None}
    assert (one["open"]["state"], one["reply"]["state"], one["limit_factor"]) == ("ok", "ok", 1.0)
    assert datetime.fromisoformat(one["at"]).tzinfo is not None
    assert other == {"data": [], "next_cursor": None}


def running_exports() -> float | None:
    return REGISTRY.get_sample_value("spreader_running_exports")


async def test_eight_slow_downloads_do_not_stop_counting_and_a_ninth_is_refused(
    running: FastAPI, states: Table[ProfileState], bus: KafkaBus, settings: Settings
) -> None:
    """No client reads more than the first byte of its file while messages are counted."""
    await bus.publish(configured("stats-slow", "stats-busy"))
    assert await states.wait_for(lambda: states.get("stats-busy") is not None, 60)
    engine = create_engine(settings, "test", 1)
    async with engine.begin() as connection:
        await connection.execute(ROWS_OF_ONE_HOUR, {"at": wall_now().replace(minute=0, second=0, microsecond=0)})
    await engine.dispose()
    async with serving(running, send_buffer=4096) as url, contextlib.AsyncExitStack() as stack:
        path = "/api/v1/exports/history.csv?by=hour&each=profile"
        readers = [stack.enter_context(contextlib.closing(SlowReader(url, path, KEY))) for _ in range(8)]
        assert [await reader.start() for reader in readers] == [b"H"] * 8
        async with httpx.AsyncClient(base_url=url, headers=KEY) as http:
            ninth = await http.get(path)
        assert (ninth.status_code, ninth.json()["code"]) == (429, "too-many-exports")
        assert ninth.headers["retry-after"] == "30"
        await bus.publish(*facts("stats-slow", "stats-busy", wall_now()))

        def is_counted() -> bool:
            busy = states.get("stats-busy")
            return busy is not None and busy.windows.day.sent == 2

        assert await states.wait_for(is_counted, 60)
        assert running_exports() == 8
        files = [await reader.rest() for reader in readers]
    assert {is_complete for _, is_complete in files} == {True}
    assert running_exports() == 0


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/api/v1/profiles", {"Authorization": ""}, 401, "unauthorized"),
        ("/api/v1/profiles", {"Authorization": "Bearer wrong"}, 401, "unauthorized"),
        ("/api/v1/profiles/nobody", KEY, 503, "unavailable"),
        ("/api/v1/elsewhere", KEY, 404, "not-found"),
    ],
)
async def test_a_service_that_is_not_ready_responds_with_a_problem(
    app: FastAPI, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    """The service is not started, so its tables are empty."""
    async with client(app) as http:
        answer = await http.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["instance"].startswith("urn:spreader:req_")
    async with client(app) as http:
        explained = await http.get(answer.json()["type"])
    assert (explained.status_code, explained.json()["code"], explained.json()["status"]) == (200, code, status)


async def test_without_its_tables_stats_asks_the_caller_to_come_back(app: FastAPI) -> None:
    """The service is not started, so no migration has run."""
    async with client(app) as http:
        history = await http.get("/api/v1/history")
    assert (history.status_code, history.headers["retry-after"]) == (503, "2")


async def test_an_invalid_request_gets_a_problem(running: FastAPI, states: Table[ProfileState], bus: KafkaBus) -> None:
    await bus.publish(configured("stats-cafe", "stats-tables"))
    assert await states.wait_for(lambda: states.get("stats-tables") is not None, 60)
    async with client(running) as http:
        unknown = await http.get("/api/v1/profiles/nobody")
        impossible = await http.get("/api/v1/profiles", params={"package_id": "no spaces"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no profile 'nobody'.")
    assert (impossible.status_code, impossible.json()["errors"][0]["pointer"]) == (422, "/query/package_id")


def test_every_answer_has_a_schema_and_an_example_that_fits_it() -> None:
    assert list(undocumented(build(StatsSettings(api_key="k")).openapi())) == []


def test_stats_does_not_start_without_a_key() -> None:
    with pytest.raises(SystemExit, match="SPREADER_API_KEY is not set"):
        build(StatsSettings(api_key=None))
