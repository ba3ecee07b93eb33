"""Idling: what all services together ask of Postgres and Kafka while there is nothing to do."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from aiokafka.conn import AIOKafkaConnection
from fastapi import FastAPI

from ingress.app import build as build_ingress
from ingress.settings import IngressSettings
from pacer.app import build as build_pacer
from pacer.settings import PacerSettings
from router.app import build as build_router
from router.settings import RouterSettings
from sender.app import build as build_sender
from sender.settings import SenderSettings
from spreader.kafka import broker
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from spreader.testing import SqlCount, counted_sql
from stats.app import build as build_stats
from stats.settings import StatsSettings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.fresh_servers]

STATEMENTS_PER_SECOND_MAX = 25.0
REQUESTS_PER_SECOND_MAX = 60.0
"""To Kafka: 26 heartbeats, a fetch of each consumer in five seconds, and the checks of the servers."""
TIMEOUT_SECONDS = 120
AUTHORIZED = {"Authorization": "Bearer key"}
CHECK = "SELECT 1"
WINDOWS_MAX = 5
"""At first the services are not idle: they read their topics from the beginning."""
CHECKS = 2
"""How many checks of each Postgres component are waited for. Between two of them are 4 s."""
COMPONENTS = 7
"""The components that check Postgres: three in the sender, two in the router, and one in each other service."""


async def migrated(settings: Settings, service: str) -> None:
    engine = create_engine(settings, service)
    try:
        await migrate(engine, service)
    finally:
        await engine.dispose()


def apps(settings: Settings) -> list[FastAPI]:
    values = settings.model_dump()
    return [
        build_ingress(IngressSettings(**values, api_key="key")),
        build_router(RouterSettings(**values)),
        build_pacer(PacerSettings(**values)),
        build_sender(SenderSettings(**values)),
        build_stats(StatsSettings(**values, api_key="key")),
    ]


async def wait_until_ready(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=AUTHORIZED) as client:
        while (await client.get("/health/ready")).status_code != 200:
            await asyncio.sleep(0.05)


async def wait_for_checks(sql: SqlCount) -> None:
    """Waits until every Postgres component has checked Postgres a few more times."""
    before = sql.statements.count(CHECK)
    while sql.statements.count(CHECK) < before + CHECKS * COMPONENTS:
        await asyncio.sleep(0.05)


def counted_requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all requests to Kafka from now on."""
    send, requests = getattr(broker, "_send"), list[str]()  # noqa: B009 - private

    def counted(connection: AIOKafkaConnection, request: Any, *arguments: Any, **options: Any) -> Any:
        requests.append(type(request).__name__)
        return send(connection, request, *arguments, **options)

    monkeypatch.setattr(broker, "_send", counted)
    return requests


async def test_idle_services_ask_little(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS), AsyncExitStack() as stack:
        for service in ("ingress", "router", "pacer", "sender", "stats"):  # Alembic migrates one schema at a time
            await migrated(settings, service)
        sql = stack.enter_context(counted_sql())
        started = apps(settings)
        for app in started:
            await stack.enter_async_context(app.router.lifespan_context(app))
        await asyncio.gather(*map(wait_until_ready, started))
        requests, seen = counted_requests(monkeypatch), ""
        for _ in range(WINDOWS_MAX):
            before, requests_before, began = len(sql.statements), len(requests), time.monotonic()
            await wait_for_checks(sql)
            statements, seconds = sql.statements[before:], time.monotonic() - began
            asked = requests[requests_before:]
            if len(statements) < STATEMENTS_PER_SECOND_MAX * seconds and len(asked) < REQUESTS_PER_SECOND_MAX * seconds:
                return
            kinds = Counter(" ".join(statement.split())[:80] for statement in statements)
            seen = f"in {seconds:.0f} s: {kinds.most_common()}, {Counter(asked)}"
    raise AssertionError(seen)
