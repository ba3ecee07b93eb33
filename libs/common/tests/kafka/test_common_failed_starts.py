"""Failed starts: what was opened by a start that fails is closed, and does not stay open until it is collected."""

import asyncio
import gc
import struct
import warnings
from collections.abc import AsyncGenerator, Generator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from local.process.ports import free_port
from spreader.kafka.client import client_arguments, create_broker
from spreader.settings import Settings

API_VERSIONS, METADATA = 18, 3


class HalfBroker:
    """Says which requests it knows, and does not answer any other one."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                request = await reader.readexactly(size)
                api, _, correlation = struct.unpack(">hhi", request[:8])
                if api == API_VERSIONS:
                    answer = struct.pack(">ihihhh", correlation, 0, 1, METADATA, 0, 1)
                    writer.write(struct.pack(">i", len(answer)) + answer)
                else:
                    self.asked.set()
        except asyncio.IncompleteReadError:
            writer.close()


@pytest.fixture
async def half_broker() -> AsyncGenerator[tuple[HalfBroker, Settings]]:
    broker = HalfBroker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker, Settings(kafka_bootstrap_servers=f"127.0.0.1:{port}")


@pytest.fixture
def unclosed() -> Generator[list[warnings.WarningMessage]]:
    """What was left open, after everything that is not used any more was collected."""
    gc.collect()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield caught


async def test_a_client_that_is_cancelled_before_the_first_answer_leaves_no_connection_open(
    half_broker: tuple[HalfBroker, Settings], unclosed: list[warnings.WarningMessage]
) -> None:
    broker, settings = half_broker
    producer = AIOKafkaProducer(**client_arguments(settings))
    starting = asyncio.create_task(producer.start())
    await broker.asked.wait()
    starting.cancel()
    await asyncio.wait([starting])
    del producer, starting
    gc.collect()
    assert [str(each.message) for each in unclosed] == []


async def test_a_broker_that_cannot_start_leaves_no_producer_open(unclosed: list[warnings.WarningMessage]) -> None:
    broker = create_broker(Settings(kafka_bootstrap_servers=f"127.0.0.1:{free_port()}"), "test")
    with pytest.raises(KafkaConnectionError):
        await broker.start()
    await broker.stop()
    del broker
    gc.collect()
    assert [str(each.message) for each in unclosed] == []
