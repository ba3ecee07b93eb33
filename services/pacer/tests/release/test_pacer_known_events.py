"""Known events on a real Kafka and Postgres: they never go back, and a new, empty Kafka does not empty them."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.databases import MigratedDatabases
from pacer.release.known_events import PACKAGES, STATES, KnownEvents
from pacer.testing import START, package
from spreader.clock import Clock
from spreader.contract.configuration import Gateway, Package
from spreader.contract.events import Event, LaneState, PackageConfigured, ProfileState
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.envelope import Envelope
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

PATIENCE_SECONDS = 60


@pytest.fixture
def kafka_settings(kafka_servers: str) -> Settings:
    return Settings(kafka_bootstrap_servers=kafka_servers)


@pytest.fixture
async def engine(databases: MigratedDatabases) -> AsyncGenerator[AsyncEngine]:
    async with databases.of("pacer") as engine:
        yield engine


@pytest.fixture
async def bus(kafka_settings: Settings) -> AsyncGenerator[KafkaBus]:
    broker = create_broker(kafka_settings, "test")
    await broker.start()
    yield KafkaBus(broker, "test", Clock())
    await broker.stop()


@pytest.fixture
def name() -> str:
    return f"pkg_{uuid.uuid4().hex[:8]}"


def configured(name: str, version: int, removed: bool = False) -> PackageConfigured:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a", sealed="secret")
    profiles = tuple(profile.model_copy(update={"gateway": gateway}) for profile in package(2).profiles)
    one = Package(package_id=name, version=version, name=name, profiles=() if removed else profiles)
    return PackageConfigured(package=one, removed=removed, at=START)


@asynccontextmanager
async def pacer(settings: Settings, engine: AsyncEngine) -> AsyncGenerator[KnownEvents[PackageConfigured]]:
    """The packages of one pacer, started."""
    known = KnownEvents(settings, PackageConfigured, engine, PACKAGES)
    await known.start()
    try:
        yield known
    finally:
        await known.stop()


async def until_version(known: KnownEvents[PackageConfigured], name: str, version: int) -> None:
    assert await known.wait_for(lambda: version_of(known, name) == version, PATIENCE_SECONDS)


def version_of(known: KnownEvents[PackageConfigured], name: str) -> int | None:
    event = known.get(name)
    return None if event is None else event.package.version


async def test_a_new_kafka_does_not_empty_it_and_older_versions_do_not_turn_it_back(
    kafka_settings: Settings, engine: AsyncEngine, bus: KafkaBus, name: str
) -> None:
    async with pacer(kafka_settings, engine) as known:
        await bus.publish(configured(name, 5))
        await until_version(known, name, 5)
        assert known.is_read(name)
        await known.save()
    await bus.publish_envelopes(tombstone(name))  # to a reader, as if Kafka were new and had no such package
    async with pacer(kafka_settings, engine) as known:
        assert (version_of(known, name), known.is_read(name)) == (5, False)
        stored = known.rows[name].package
        assert [profile.profile_id for profile in stored.profiles] == ["p0", "p1"]
        async with engine.connect() as connection:
            bodies = (await connection.execute(text("SELECT event FROM pacer.known_event"))).scalars().all()
        assert not any("secret" in body for body in bodies)  # credentials stay out of the pacer's schema
        late, marker = configured(name, 4), configured(f"{name}_marker", 1)
        await bus.publish(late)
        await bus.publish(marker)
        await until_version(known, marker.package.package_id, 1)
        await bus.publish(configured(name, 6, removed=True))
        assert version_of(known, name) in (5, 6)
        await until_version(known, name, 6)
        await known.save()
    async with pacer(kafka_settings, engine) as known:
        assert known.rows[name].removed


async def test_a_pacer_takes_over_a_newer_version_that_another_has_read(
    kafka_settings: Settings, engine: AsyncEngine, bus: KafkaBus, name: str
) -> None:
    async with pacer(kafka_settings, engine) as behind:
        ahead = KnownEvents(kafka_settings, PackageConfigured, engine, PACKAGES)
        await behind.stop()  # it reads nothing more
        await bus.publish(configured(name, 7))
        await ahead.start()
        await ahead.save()
        assert version_of(behind, name) is None
        async with engine.connect() as connection:
            await behind.refresh(connection, [name, "pkg_nobody"])
        assert version_of(behind, name) == 7
        await behind.save()
        await ahead.stop()


async def test_two_pacers_that_store_at_once_keep_the_newer_version(
    kafka_settings: Settings, engine: AsyncEngine, name: str
) -> None:
    newer, older = (KnownEvents(kafka_settings, PackageConfigured, engine, PACKAGES) for _ in range(2))
    for known, version in ((newer, 9), (older, 8)):
        known.replace(name, configured(name, version))
        known.note(name, configured(name, version))
    await newer.save()
    await asyncio.gather(newer.save(), older.save())
    async with pacer(kafka_settings, engine) as known:
        assert version_of(known, name) == 9


async def test_a_closed_lane_is_remembered_and_counts_alone_are_not_stored_again(
    kafka_settings: Settings, engine: AsyncEngine, bus: KafkaBus, name: str
) -> None:
    state = ProfileState(profile_id=name, package_id="one", open=LaneState(state="blocked", cause="463"), at=START)
    known = KnownEvents(kafka_settings, ProfileState, engine, STATES)
    await known.start()
    await bus.publish(state)
    assert await known.wait_for(lambda: known.get(name) is not None, PATIENCE_SECONDS)
    await known.save()
    await known.stop()
    await bus.publish_envelopes(replace(tombstone(name), topic=ProfileState.topic))
    again = KnownEvents(kafka_settings, ProfileState, engine, STATES)
    await again.start()
    row = again.get(name)
    assert row is not None
    assert row.open == state.open
    await again.stop()


def tombstone(key: str) -> Envelope:
    kind: type[Event] = PackageConfigured
    return Envelope(kind.topic, key.encode(), None, {})
