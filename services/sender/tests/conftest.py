"""What the sender's tests share: a migrated ledger, a gateway, a driver."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from local.tables import Tables
from sender.gateways.cloud_api import CloudApiDriver
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.evolution import EvolutionDriver
from sender.gateways.http_client import Client, Timeouts
from sender.gateways.number_resolver import Addresses
from sender.gateways.simulator import SimulatorDriver
from sender.gateways.uploads import Uploads
from sender.gateways.waha import WahaDriver
from sender.ledger.postgres import Ledger
from sender.testing import NOON, FakeGateway, serve
from sender.testing.files import Files, MemoryUploads
from sender.testing.numbers import MemoryNumbers
from sender.testing.wires import KEYS, Wire, serve_wire
from spreader.contract.events import Lane
from spreader.kafka.offset_store import OffsetStore
from spreader.testing import ManualClock

MakeLedger = Callable[..., Ledger]


@pytest.fixture
async def engine(tables: Tables) -> AsyncGenerator[AsyncEngine]:
    async with tables.of("sender") as engine:
        yield engine


@pytest.fixture
def ledger(engine: AsyncEngine) -> MakeLedger:
    """`ledger("reply", "worker-a", lease_seconds=15)`"""

    def make(lane: Lane = "reply", worker: str = "worker-a", lease_seconds: float = 60) -> Ledger:
        return Ledger(engine, OffsetStore("sender", "cluster"), lane, worker, timedelta(seconds=lease_seconds))

    return make


@pytest.fixture
async def gateway() -> AsyncGenerator[FakeGateway]:
    async with serve(FakeGateway()) as served:
        yield served


@pytest.fixture
async def client() -> AsyncGenerator[Client]:
    client = Client("tests", 300, Timeouts(connect_seconds=30, call_seconds=30))
    await client.start()
    yield client
    await client.stop()


@pytest.fixture
def driver(client: Client) -> SimulatorDriver:
    return SimulatorDriver(client, 30, "http://ingress/")


@pytest.fixture
async def wire() -> AsyncGenerator[Wire]:
    async with serve_wire(Wire()) as served:
        yield served


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def drivers(client: Client, files: Files) -> dict[str, Driver]:
    keyring = Keyring(KEYS)
    return {
        "cloud_api": CloudApiDriver(client, keyring, files, Uploads(MemoryUploads()), 30),
        "waha": WahaDriver(client, keyring, files, 30, Addresses(MemoryNumbers(), ManualClock(NOON), per_hour=60)),
        "evolution": EvolutionDriver(client, keyring, files, 30),
    }
