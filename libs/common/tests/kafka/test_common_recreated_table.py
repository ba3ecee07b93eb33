"""A table whose topic is created again while it reads: it has the rows of the new topic, and no old ones."""

import asyncio
import uuid

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured, ProfileState
from spreader.kafka import table as module
from spreader.kafka.client import KafkaBus, client_arguments, create_broker
from spreader.kafka.table import Table
from spreader.kafka.topics import create_topics
from spreader.settings import Settings

pytestmark = pytest.mark.kafka

PATIENCE_SECONDS = 60.0


def state(profile_id: str) -> ProfileState:
    return ProfileState(profile_id=profile_id, package_id="pkg_1", at=wall_now())


async def recreate(settings: Settings, *topics: str) -> None:
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    await admin.delete_topics(list(topics))
    await admin.close()
    missing = set(topics)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while missing:
            try:
                missing -= set(await create_topics(settings))
            except KafkaError:  # its deletion has not ended
                await asyncio.sleep(0.05)


async def test_a_table_of_a_recreated_topic_drops_old_states_and_keeps_packages(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new topic has more records than the old one had, so Kafka does not refuse the old offset."""
    monkeypatch.setattr(module, "TOPIC_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(module, "POLL_MS", 1_000)
    own = uuid.uuid4().hex[:8]
    broker = create_broker(settings, "test")
    states, packages = Table(settings, ProfileState), Table(settings, PackageConfigured)
    package = Package(package_id=f"{own}-package", version=3, name="Kept")
    try:
        await broker.start()
        bus = KafkaBus(broker, "test", Clock())
        await bus.publish(state(f"{own}-old"), PackageConfigured(package=package, at=wall_now()))
        await states.start()
        await packages.start()
        assert states.get(f"{own}-old") is not None
        await recreate(settings, ProfileState.topic, PackageConfigured.topic)
        newer = [state(f"{own}-new{number}") for number in range(60)]
        await bus.publish(*newer, *newer)

        def is_renewed() -> bool:
            mine = {key for key in states.rows if key.startswith(own)}
            return mine == {each.profile_id for each in newer}

        assert await states.wait_for(is_renewed, PATIENCE_SECONDS), sorted(states.rows)
        row = packages.get(package.package_id)
        assert row is not None
        assert row.package.version == 3
    finally:
        await states.stop()
        await packages.stop()
        await broker.stop()
