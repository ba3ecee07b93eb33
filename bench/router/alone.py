"""Alone: one router process with a Kafka and a Postgres of its own, and the bench in place of all other services."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from bench.child import TREE, Failed
from bench.log import Log
from bench.messages import PACKAGE
from bench.pacer.database import tree_mebibytes
from local.ports import HOST, free_port
from local.program import Command, spawn
from local.workbench import Workbench, workbench
from spreader.clock import wall_now
from spreader.configuration import Distribution, Gateway, Package, Profile
from spreader.envelope import Envelope, seal
from spreader.events import PackageConfigured
from spreader.kafka import PRODUCE_BATCH_BYTES, create_topics
from spreader.settings import Settings

PROFILES = 20
READY_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Alone:
    log: Log
    producer: AIOKafkaProducer
    database: asyncpg.Connection
    pid: int

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """All are acknowledged when it returns."""
        sent = [
            await self.producer.send(
                each.topic, each.body, each.key,
                headers=[(name, value.encode()) for name, value in each.headers.items()],
            )
            for each in envelopes
        ]  # fmt: skip
        await asyncio.gather(*sent)

    def mebibytes(self) -> float:
        """Private memory of the router's process."""
        return tree_mebibytes(self.pid)


@asynccontextmanager
async def alone() -> AsyncGenerator[Alone]:
    folder = Path(tempfile.mkdtemp(prefix="spreader-bench-router-"))
    try:
        with workbench() as bench:
            await asyncio.to_thread(bench.start_kafka)
            await asyncio.to_thread(bench.postgres.start)
            await create_topics(Settings(kafka_bootstrap_servers=bench.kafka_servers))
            async with _producing(bench.kafka_servers) as producer, Log(bench.kafka_servers) as log:
                now = wall_now()
                await producer.start()
                configured = [seal(PackageConfigured(package=each, at=now), "ingress", now) for each in packages()]
                without_router = Alone(log, producer, await asyncpg.connect(bench.postgres_url), 0)
                await without_router.publish(configured)
                process = await _started(bench, folder)
                try:
                    yield Alone(log, producer, without_router.database, process.pid)
                finally:
                    process.send_signal(SIGTERM)
                    await asyncio.to_thread(process.wait)
                    await without_router.database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def packages() -> list[Package]:
    """One for each strategy; the first for all else."""
    strategies: tuple[Distribution, ...] = ("round_robin", "random", "weighted", "smart")
    return [_package(PACKAGE, "round_robin"), *(_package(f"{PACKAGE}-{each}", each) for each in strategies)]


def _package(package_id: str, strategy: Distribution) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:9", account="none")
    profiles = tuple(
        Profile(profile_id=f"{package_id}-{number}", name="Bench", phone=f"2010{number:08}", gateway=gateway)
        for number in range(PROFILES)
    )
    return Package(package_id=package_id, version=1, name="Bench", distribution=strategy, profiles=profiles)


@asynccontextmanager
async def _producing(kafka: str) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", linger_ms=1, max_batch_size=PRODUCE_BATCH_BYTES,
        max_request_size=8 * 1024 * 1024,
    )  # fmt: skip
    try:
        yield producer
    finally:
        await producer.stop()


async def _started(bench: Workbench, folder: Path) -> subprocess.Popen[bytes]:
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
        "SPREADER_KAFKA_BOOTSTRAP_SERVERS": bench.kafka_servers,
        "SPREADER_DATABASE_URL": bench.postgres_url,
        "SPREADER_ROUTER_PORT": str(port),
    }
    with (folder / "log").open("wb") as log:
        process = spawn(Command([sys.executable, "-m", "router"], environment, TREE, orphan_signal=SIGTERM), log)
    until = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession() as session:
        while not await _is_ready(session, f"http://{HOST}:{port}/health/ready"):
            if process.poll() is not None or time.monotonic() > until:
                said = (folder / "log").read_text(errors="replace")[-3000:]
                process.kill()
                raise Failed(f"the router did not become ready:\n{said}")
            await asyncio.sleep(POLL_SECONDS)
    return process


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(address) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
