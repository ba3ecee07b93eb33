"""Upgrade of a pacer with a large database: the older version holds and releases while a newer one migrates.

Both versions are real processes on a real Kafka and Postgres. The newer one is a copy of the package with two
migrations more: an index on the held deliveries, and a column.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

import pacer
from local.process.ports import free_port
from local.process.program import Command, spawn
from spreader.clock import wall_now
from spreader.contract.configuration import Gap, Gateway, Package, PackageLimits, Profile, ProfileLimits
from spreader.contract.content import TextContent
from spreader.contract.events import AssignedDelivery, Event, OpenDeliveriesAssigned, OpenOptions, PackageConfigured
from spreader.contract.ids import delivery_id
from spreader.kafka.envelope import encode
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

PROFILES = 20
WIDE = ProfileLimits(
    per_hour=3_000, per_3_hours=9_000, per_day=20_000, per_recipient_per_day=None, unanswered_per_30_days=None
)
START_SECONDS = 90.0
PAUSE_SECONDS_MAX = 10.0
"""The longest time without a release. A release that waits for a lock of the migration waits 2 s."""
RECORD_SECONDS = 0.2
STEPS = {
    "9001_index.py": """
from spreader.runtime.migrations.indexes import create_index_concurrently
def upgrade() -> None:
    create_index_concurrently("pacer.delivery_of_test", "delivery (recipient, not_before, message_id)")
""",
    "9002_column.py": """
from alembic import op
def upgrade() -> None:
    op.execute("ALTER TABLE pacer.delivery ADD COLUMN of_test text")
""",
}
FILL = """
INSERT INTO pacer.delivery ({columns}, state, message_id, delivery_id, recipient)
SELECT {columns}, 'held', message_id, delivery_id || '-' || number, (2010000000000 + index * 10000000 + number)::text
FROM pacer.delivery CROSS JOIN generate_series({first}, {last}) AS number WHERE delivery_id = ANY ($1)"""
COLUMNS = """
SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
WHERE table_schema = 'pacer' AND table_name = 'delivery'
  AND column_name NOT IN ('delivery_id', 'recipient', 'seq', 'state', 'release', 'released_at', 'message_id')"""
PAUSES = """
SELECT max(extract(epoch FROM at - before))::float AS longest, count(*) - 2 AS releases
FROM (SELECT at, lag(at) OVER (ORDER BY at) AS before
      FROM (SELECT released_at AS at FROM pacer.release WHERE released_at BETWEEN $1 AND $2
            UNION ALL VALUES ($1), ($2)) AS moments) AS pauses"""
NOW = "SELECT clock_timestamp()"
OF_MESSAGE = "SELECT count(*) FROM pacer.delivery WHERE message_id = $1"
INDEX = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('pacer.delivery_of_test')"


@dataclass
class Upgrade:
    settings: Settings
    folder: Path
    database: asyncpg.Pool

    @property
    def package_id(self) -> str:
        return self.settings.database_url.rpartition("/")[2]

    def package(self) -> PackageConfigured:
        profiles = tuple(
            Profile(
                profile_id=f"{self.package_id}-{number}",
                name="Profile",
                phone=f"20100{number:07}",
                limits=WIDE,
                gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x"),
            )
            for number in range(PROFILES)
        )
        package = Package(
            package_id=self.package_id,
            version=1,
            name="Large",
            rest_window=None,
            profile_limits=WIDE,
            limits=PackageLimits(concurrent_sends=1_000_000),
            gap=Gap(min_seconds=1, max_seconds=1),
            profiles=profiles,
        )
        return PackageConfigured(package=package, at=wall_now())

    def record(self, number: int) -> OpenDeliveriesAssigned:
        """An assignment with one delivery for each profile."""
        message = f"{self.package_id}-{number}"
        people = [f"2015{number:04}{place:04}" for place in range(PROFILES)]
        return OpenDeliveriesAssigned(
            package_id=self.package_id,
            message_id=message,
            content=TextContent(type="text", text="Hello"),
            options=OpenOptions(),
            requested_at=wall_now(),
            total=PROFILES,
            strategy="round_robin",
            assigned_at=wall_now(),
            deliveries=tuple(
                AssignedDelivery(
                    delivery_id=delivery_id(message, person),
                    recipient=person,
                    profile_id=f"{self.package_id}-{place}",
                    index=place,
                )
                for place, person in enumerate(people)
            ),
        )

    async def publish(self, producer: AIOKafkaProducer, event: Event) -> None:
        record = encode(event, "test", wall_now())
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        await producer.send_and_wait(record.topic, record.body, key=record.key, headers=headers)

    async def held(self) -> int:
        return await self.database.fetchval("SELECT count(*) FROM pacer.delivery WHERE state = 'held'")

    async def fill(self, held: int) -> None:
        """Copy held deliveries of the first message until there are about `held`."""
        columns = await self.database.fetchval(COLUMNS)
        originals = [delivery.delivery_id for delivery in self.record(0).deliveries]
        each, first = 100_000 // PROFILES, 1
        while first * PROFILES < held:
            statement = FILL.format(columns=columns, first=first, last=first + each - 1)
            await self.database.execute(statement, originals)
            first += each
        await self.database.execute("VACUUM (ANALYZE) pacer.delivery")  # as autovacuum does in a living database

    @contextmanager
    def process(self, name: str, extra: Mapping[str, str]) -> Generator["PacerProcess"]:
        own = {
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "DATABASE_URL": self.settings.database_url,
            "INSTANCE": name,
            "PACER_PORT": str(port := free_port()),
        }
        given = {key: value for key, value in os.environ.items() if not key.startswith("SPREADER_")}
        environment = {**given, **{f"SPREADER_{key}": value for key, value in own.items()}, **extra}
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = spawn(Command([sys.executable, "-m", "pacer"], environment), output)
        try:
            yield PacerProcess(process, port, log)
        finally:
            process.kill()
            process.wait()

    def newer_version(self) -> Mapping[str, str]:
        """A copy of the package with two migrations more; returns the environment in which Python finds it."""
        copy = self.folder / "newer" / "pacer"
        shutil.copytree(Path(pacer.__file__).parent, copy)
        previous = max(path.name[:4] for path in (copy / "migrations").glob("[0-9]*.py"))
        for name, body in STEPS.items():
            revision = name[:4]
            header = f'"""A step."""\nrevision = "{revision}"\ndown_revision = "{previous}"\n'
            (copy / "migrations" / name).write_text(header + body)
            previous = revision
        return {"PYTHONPATH": str(copy.parent)}


@dataclass
class PacerProcess:
    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    async def readiness(self) -> tuple[bool, str]:
        """Whether it is ready, and what it says about its Postgres."""
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            address = f"http://127.0.0.1:{self.port}/health/ready"
            async with aiohttp.ClientSession() as session, session.get(address) as response:
                return response.status == 200, (await response.json())["reasons"].get("postgres", "")
        except OSError as error:
            return False, str(error)

    async def is_ready(self) -> bool:
        return (await self.readiness())[0]


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = START_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.05)


@pytest.fixture
async def upgrade(settings: Settings, tmp_path: Path) -> AsyncGenerator[Upgrade]:
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=4, command_timeout=900) as pool:
        yield Upgrade(settings, tmp_path, pool)


@asynccontextmanager
async def writing(upgrade: Upgrade) -> AsyncGenerator[list[int]]:
    """Publishes assignments without a pause; yields the numbers of those published."""
    published: list[int] = []

    async def write(producer: AIOKafkaProducer) -> None:
        for number in range(1, 10_000):
            await upgrade.publish(producer, upgrade.record(number))
            published.append(number)
            await asyncio.sleep(RECORD_SECONDS)

    servers = upgrade.settings.kafka_bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        task = asyncio.create_task(write(producer))
        try:
            yield published
        finally:
            task.cancel()
            await asyncio.wait({task})


async def _migrate_while_the_older_version_works(upgrade: Upgrade, held: int, newer: int) -> dict[str, Any]:
    """`newer`: how many instances of the newer version start at once."""
    with upgrade.process("older", {}) as older:
        async with AIOKafkaProducer(bootstrap_servers=upgrade.settings.kafka_bootstrap_servers, acks="all") as producer:
            await upgrade.publish(producer, upgrade.package())
            await until(older.is_ready)
            await upgrade.publish(producer, upgrade.record(0))

        async def holds() -> bool:
            return await upgrade.held() > 0

        await until(holds)
        filling = time.monotonic()
        await upgrade.fill(held)
        filled = time.monotonic() - filling
        async with writing(upgrade) as published:
            upgraded = await _upgrade(upgrade, older, published, newer)
            return {"held": await upgrade.held(), "seconds_to_fill": round(filled, 1), **upgraded}


async def _upgrade(upgrade: Upgrade, older: PacerProcess, published: list[int], newer: int) -> dict[str, Any]:
    environment = upgrade.newer_version()
    began: datetime = await upgrade.database.fetchval(NOW)
    said = set[str]()
    with ExitStack() as stack:
        started = [stack.enter_context(upgrade.process(f"newer-{number}", environment)) for number in range(newer)]

        async def are_ready() -> bool:
            states = [await process.readiness() for process in started]
            said.update(reason for _, reason in states if "migrat" in reason)
            return all(ready for ready, _ in states)

        await until(are_ready, 3_600)
        ended: datetime = await upgrade.database.fetchval(NOW)
        assert await upgrade.database.fetchval(INDEX) is True
        last = f"{upgrade.package_id}-{published[-1]}"

        async def holds_the_last() -> bool:
            return await upgrade.database.fetchval(OF_MESSAGE, last) == PROFILES

        await until(holds_the_last)
        await until(older.is_ready)
        pauses = await upgrade.database.fetchrow(PAUSES, began, ended)
        assert pauses is not None
        return {
            "seconds": round((ended - began).total_seconds(), 1),
            "releases_meanwhile": pauses["releases"],
            "longest_pause_seconds": round(pauses["longest"], 2),
            "records_taken_in_meanwhile": len(published),
            "readiness_said": sorted(said)[-3:],
        }


async def test_a_migration_of_a_large_table_stops_nobody(upgrade: Upgrade) -> None:
    seen = await _migrate_while_the_older_version_works(upgrade, 100_000, newer=1)
    assert seen["releases_meanwhile"] > PROFILES
    assert seen["longest_pause_seconds"] < PAUSE_SECONDS_MAX


@pytest.mark.recorded
@pytest.mark.timeout(5_400)
async def test_a_migration_of_ten_million_held_deliveries_stops_nobody(
    upgrade: Upgrade, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    seen = await _migrate_while_the_older_version_works(upgrade, 10_000_000, newer=2)
    assert seen["held"] > 9_900_000
    assert seen["longest_pause_seconds"] < PAUSE_SECONDS_MAX
    assert any("waiting for another instance" in said for said in seen["readiness_said"])
    keep("upgrade", {"what": "a newer pacer builds an index while the older one holds and releases", **seen})
