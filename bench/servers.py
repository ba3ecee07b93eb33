"""Servers: a Kafka and a Postgres for the bench of one service. The bench takes the place of the other services."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from bench.child import TREE, MeasurementError
from bench.pacer.database import tree_mebibytes
from bench.topics import Topics
from local.process.ports import HOST, free_port
from local.process.program import Command, spawn
from local.testbed.workbench import Workbench, workbench
from spreader.kafka.client import PRODUCE_BATCH_BYTES
from spreader.kafka.envelope import Envelope
from spreader.kafka.topics import create_topics
from spreader.settings import Settings
from spreader.vault import new_key

READY_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """The running process of a service."""

    name: str
    port: int
    pid: int

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def mebibytes(self) -> float:
        """Private memory (USS) of the process and its children."""
        return tree_mebibytes(self.pid)


@dataclass(frozen=True, slots=True)
class Servers:
    folder: Path
    environment: Mapping[str, str]
    topics: Topics
    producer: AIOKafkaProducer
    database: asyncpg.Connection

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Publish the records. Returns when Kafka has acknowledged all of them."""
        sent = [
            await self.producer.send(
                each.topic,
                each.body,
                each.key,
                headers=[(name, value.encode()) for name, value in each.headers.items()],
            )
            for each in envelopes
        ]
        await asyncio.gather(*sent)

    @asynccontextmanager
    async def run_service(self, name: str, port: int | None = None, **settings: str) -> AsyncGenerator[ServiceProcess]:
        """Run a service as long as the block runs. The block begins when the service is ready."""
        port = port or free_port()
        environment = {**self.environment, **settings, f"SPREADER_{name.upper()}_PORT": str(port)}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = spawn(Command([sys.executable, "-m", name], environment, TREE, orphan_signal=SIGTERM), log)
        try:
            await self._ready(process, name, f"http://{HOST}:{port}/health/ready")
            yield ServiceProcess(name, port, process.pid)
        finally:
            process.send_signal(SIGTERM)
            await asyncio.to_thread(process.wait)

    async def _ready(self, process: subprocess.Popen[bytes], name: str, address: str) -> None:
        until = time.monotonic() + READY_SECONDS
        async with aiohttp.ClientSession() as session:
            while not await _is_ready(session, address):
                if process.poll() is not None or time.monotonic() > until:
                    output = (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]
                    raise MeasurementError(f"{name} did not become ready:\n{output}")
                await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def servers() -> AsyncGenerator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="spreader-bench-alone-"))
    try:
        with workbench() as bench:
            await asyncio.to_thread(bench.start_kafka)
            await asyncio.to_thread(bench.postgres.start)
            await create_topics(Settings(kafka_bootstrap_servers=bench.kafka_servers))
            async with _producer(bench.kafka_servers) as producer, Topics(bench.kafka_servers) as topics:
                await producer.start()
                database = await asyncpg.connect(bench.postgres_url)
                try:
                    yield Servers(folder, _environment(bench, folder), topics, producer, database)
                finally:
                    await database.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(bench: Workbench, folder: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPREADER_")},
        "SPREADER_KAFKA_BOOTSTRAP_SERVERS": bench.kafka_servers,
        "SPREADER_DATABASE_URL": bench.postgres_url,
        "SPREADER_SECRET_KEYS": new_key(),
        "SPREADER_INTERNAL_TOKEN": "bench",
        "SPREADER_MEDIA_STORE": f"file:{folder / 'media'}",
        "SPREADER_SIMULATOR_HOME": str(folder / "simulator"),
    }


@asynccontextmanager
async def _producer(kafka: str) -> AsyncGenerator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        linger_ms=1,
        max_batch_size=PRODUCE_BATCH_BYTES,
        max_request_size=8 * 1024 * 1024,
    )
    try:
        yield producer
    finally:
        await producer.stop()


async def _is_ready(session: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with session.get(address) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
