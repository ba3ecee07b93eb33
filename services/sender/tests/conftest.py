"""Fixtures of the sender's tests: a migrated ledger, gateways, drivers."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.databases import MigratedDatabases
from sender.gateways.cloud_api import CloudApiDriver
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.evolution import EvolutionDriver
from sender.gateways.http_client import GatewayClient, Timeouts
from sender.gateways.number_resolver import NumberResolver
from sender.gateways.simulator import SimulatorDriver
from sender.gateways.uploads import UploadCache
from sender.gateways.waha import WahaDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, FakeGateway, serve
from sender.testing.files import MemoryMedia, MemoryUploads
from sender.testing.gateway_server import KEYS, GatewayServer, serve_gateway
from sender.testing.numbers import MemoryNumbers
from spreader.contract.events import Lane
from spreader.kafka.offset_store import OffsetStore
from spreader.testing import ManualClock

MakeLedger = Callable[..., DeliveryLedger]
CALL_SECONDS, LEASE_SECONDS = 300.0, 600.0
"""Longer than any test: on a slow machine, a call that a test holds back must not time out, nor its lease end."""


@pytest.fixture
async def engine(databases: MigratedDatabases) -> AsyncGenerator[AsyncEngine]:
    async with databases.of("sender") as engine:
        yield engine


@pytest.fixture
def make_ledger(engine: AsyncEngine) -> MakeLedger:
    """`make_ledger("reply", "worker-a", lease_seconds=15)`"""

    def make(lane: Lane = "reply", worker: str = "worker-a", lease_seconds: float = LEASE_SECONDS) -> DeliveryLedger:
        return DeliveryLedger(engine, OffsetStore("sender", "cluster"), lane, worker, timedelta(seconds=lease_seconds))

    return make


@pytest.fixture
async def gateway() -> AsyncGenerator[FakeGateway]:
    async with serve(FakeGateway()) as served:
        yield served


@pytest.fixture
async def client() -> AsyncGenerator[GatewayClient]:
    client = GatewayClient("tests", 300, Timeouts(connect_seconds=30, call_seconds=CALL_SECONDS))
    await client.start()
    yield client
    await client.stop()


@pytest.fixture
def driver(client: GatewayClient) -> SimulatorDriver:
    return SimulatorDriver(client, CALL_SECONDS, "http://ingress/")


@pytest.fixture
async def server() -> AsyncGenerator[GatewayServer]:
    async with serve_gateway(GatewayServer()) as served:
        yield served


@pytest.fixture
def files() -> MemoryMedia:
    return MemoryMedia()


@pytest.fixture
def drivers(client: GatewayClient, files: MemoryMedia) -> dict[str, Driver]:
    keyring = Keyring(KEYS)
    return {
        "cloud_api": CloudApiDriver(client, keyring, files, UploadCache(MemoryUploads()), CALL_SECONDS),
        "waha": WahaDriver(
            client, keyring, files, CALL_SECONDS, NumberResolver(MemoryNumbers(), ManualClock(NOON), per_hour=60)
        ),
        "evolution": EvolutionDriver(client, keyring, files, CALL_SECONDS),
    }
