"""Broken connections: on uvloop, which the services use, a write to a connection that has just closed."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from spreader.kafka.broker import survive_broken_connections

pytestmark = pytest.mark.kafka


async def error_of_a_late_write(kafka_servers: str) -> tuple[AIOKafkaConnection, BaseException | None]:
    """Write after the transport has closed, and before aiokafka's reader sees that."""
    host, port = kafka_servers.rsplit(":", 1)
    connection = await create_conn(host, int(port))
    written: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def write() -> None:
        try:
            connection.send(MetadataRequest([]))
        except Exception as error:
            written.set_result(error)
        else:
            written.set_result(None)

    writer = connection._writer  # pyright: ignore[reportPrivateUsage]
    assert writer is not None
    writer.transport.abort()
    asyncio.get_running_loop().call_soon(write)
    return connection, await written


def test_a_write_to_a_connection_that_has_just_closed_is_an_error_of_kafka(kafka_servers: str) -> None:
    survive_broken_connections()  # each maker of a client calls this
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        connection, error = runner.run(error_of_a_late_write(kafka_servers))
    assert isinstance(error, KafkaConnectionError)
    assert isinstance(error.__cause__, RuntimeError)
    assert not connection.connected()
