"""Replays: all services read all topics from the beginning again, and send nothing.

The offsets of their consumer groups are at 0, and their stored offsets are deleted. `tests/e2e/test_e2e_replays.py`
does the same with 100,000 records, and also with the stored offsets in place.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from replays import POLL_SECONDS, SERVICES, Groups, empty_positions, recreate_topics, until_quiet

from ingress.app import build as build_ingress
from ingress.settings import IngressSettings
from pacer.app import build as build_pacer
from pacer.settings import PacerSettings
from router.app import build as build_router
from router.settings import RouterSettings
from sender.app import build as build_sender
from sender.settings import SenderSettings
from simulator.testing import SimulatorClient, fake_webhook, running_simulator
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Gateway, Package, Profile, ProfileLimits
from spreader.contract.content import TextContent
from spreader.contract.events import (
    Event,
    OpenMessageRequested,
    OpenOptions,
    PackageConfigured,
    ReplyMessageRequested,
)
from spreader.kafka.client import client_arguments
from spreader.kafka.envelope import encode
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
from stats.app import build as build_stats
from stats.settings import StatsSettings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

PROFILES, OPEN, REPLIES = 5, 60, 60
SPEED = 20_000.0
PATIENCE_SECONDS = 90
FREE = ProfileLimits(
    per_hour=10_000, per_3_hours=30_000, per_day=80_000, per_recipient_per_day=None, unanswered_per_30_days=None
)


@pytest.fixture
async def empty_topics(kafka_servers: str) -> str:
    await recreate_topics(kafka_servers)
    return kafka_servers


@contextlib.asynccontextmanager
async def running(settings: Settings, media: Path) -> AsyncGenerator[None]:
    """All services, in this process."""
    values: dict[str, Any] = {**settings.model_dump(), "api_key": "k", "media_store": f"file:{media}"}
    apps: list[FastAPI] = [
        build_ingress(IngressSettings(**values)),
        build_router(RouterSettings(**values)),
        build_pacer(PacerSettings(**values)),
        build_sender(SenderSettings(**values)),
        build_stats(StatsSettings(**values)),
    ]
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(app.router.lifespan_context(app)) for app in apps))
        yield


async def migrated(settings: Settings) -> None:
    """All schemas, one after the other: Alembic cannot migrate two in one process at once."""
    for service in SERVICES:
        engine = create_engine(settings, service)
        await migrate(engine, service)
        await engine.dispose()


async def publish(settings: Settings, *events: Event) -> None:
    async with AIOKafkaProducer(**client_arguments(settings), acks="all") as producer:
        for envelope in (encode(event, "test", wall_now()) for event in events):
            headers = [(name, value.encode()) for name, value in envelope.headers.items()]
            await producer.send_and_wait(envelope.topic, envelope.body, key=envelope.key, headers=headers)


def package(gateways: SimulatorClient) -> PackageConfigured:
    profiles = tuple(
        Profile(
            profile_id=f"prf_{number}",
            name=f"Profile {number}",
            phone=f"2010{number:08}",
            gateway=Gateway(driver="simulator", base_url=gateways.address.geturl(), account=f"prf_{number}"),
        )
        for number in range(PROFILES)
    )
    one = Package(package_id="pkg_1", version=1, name="One", profiles=profiles, profile_limits=FREE, rest_window=None)
    return PackageConfigured(package=one, at=wall_now())


def requests(clock: Clock) -> list[Event]:
    hello = TextContent(type="text", text="Hello")
    opened = OpenMessageRequested(
        package_id="pkg_1",
        message_id="msg_open",
        content=hello,
        recipients=tuple(f"2011{number:08}" for number in range(OPEN)),
        options=OpenOptions(waiting_strategy="immediate"),
        requested_at=clock(),
    )
    replies = [
        ReplyMessageRequested(
            package_id="pkg_1",
            message_id=f"msg_{number}",
            content=hello,
            recipient=f"2012{number:08}",
            requested_at=clock(),
        )
        for number in range(REPLIES)
    ]
    return [opened, *replies]


async def test_all_topics_are_read_again_from_the_beginning_and_nothing_is_sent(
    empty_topics: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = wall_now()
    clock = Clock(SPEED, now, now)
    monkeypatch.setenv("SPREADER_CLOCK", clock.text)
    groups, url = Groups(empty_topics), settings.database_url
    async with running_simulator(tmp_path / "gateways", clock) as gateways, fake_webhook() as hook:
        for number in range(PROFILES):
            await gateways.register(hook.url, f"prf_{number}")
        await publish(settings, package(gateways))
        await migrated(settings)
        async with running(settings, tmp_path):
            await publish(settings, *requests(clock))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(await gateways.ledger()) < OPEN + REPLIES:
                    await asyncio.sleep(POLL_SECONDS)
            await until_quiet(groups, url, PATIENCE_SECONDS)
        sent = Counter(line["recipient"] for line in await gateways.ledger())
        assert set(sent.values()) == {1}
        assert await empty_positions(url) > 0
        assert await groups.rewind() > 4 * (OPEN + REPLIES)
        async with running(settings, tmp_path):
            await until_quiet(groups, url, PATIENCE_SECONDS)
        assert Counter(line["recipient"] for line in await gateways.ledger()) == sent
