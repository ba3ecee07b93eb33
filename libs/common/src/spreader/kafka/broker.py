"""Broker: a FastStream broker that starts and stops its subscribers concurrently."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial, wraps
from types import TracebackType
from typing import Any, cast

import aiokafka.client
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from faststream.kafka import KafkaBroker

from spreader.kafka.batching import LowLatencyConsumer
from spreader.kafka.lifetimes import closed

_send = AIOKafkaConnection.send
_bootstrap = AIOKafkaClient.bootstrap
_start_producer = AIOKafkaProducer.start


@dataclass
class _Opened:
    """The connections of a client that is being started. None: the start has ended. Then the client keeps them itself,
    or they are closed."""

    connections: list[AIOKafkaConnection] | None = field(default_factory=list[AIOKafkaConnection])


_opened: ContextVar[_Opened | None] = ContextVar("opened", default=None)


async def _create_conn(*args: Any, **options: Any) -> AIOKafkaConnection:
    connection = await create_conn(*args, **options)
    opened = _opened.get()
    if opened is not None and opened.connections is not None:
        opened.connections.append(connection)
    return connection


@wraps(_bootstrap)
async def _bootstrap_or_close(self: AIOKafkaClient) -> None:
    """Closes the connections of a client that cannot start. If a client is cancelled while it waits for the first
    answer, aiokafka alone forgets its connection without closing it."""
    opened = _Opened()
    token = _opened.set(opened)
    try:
        await _bootstrap(self)
    except BaseException:
        for connection in opened.connections or ():
            connection.close()
        raise
    finally:
        opened.connections = None
        _opened.reset(token)


@wraps(_start_producer)
async def _start_producer_or_stop(self: AIOKafkaProducer) -> None:
    """Stops a producer that cannot start. FastStream alone forgets such a producer without stopping it."""
    try:
        await _start_producer(self)
    except BaseException:
        await closed(self.stop())
        raise


@wraps(_send)
def _send_or_break(self: AIOKafkaConnection, *args: Any, **options: Any) -> Any:
    """Raises KafkaConnectionError if the connection has just closed. aiokafka alone raises it only after an OSError,
    but uvloop raises RuntimeError.

    The RuntimeError would end the background task that keeps a consumer in its group. Then the service would look
    ready, but the records of its partitions would wait until somebody restarts it.
    """
    try:
        return _send(self, *args, **options)
    except KafkaError:  # a RuntimeError as well
        raise
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def survive_broken_connections() -> None:
    """Makes every Kafka client of this process survive a connection that has just closed. Call this before the process
    makes its first client."""
    AIOKafkaConnection.send = _send_or_break
    AIOKafkaClient.bootstrap = _bootstrap_or_close
    AIOKafkaProducer.start = _start_producer_or_stop
    aiokafka.client.create_conn = _create_conn


class Broker(KafkaBroker):
    """Starts and stops its subscribers concurrently. If they started one after the other, each would wait for one more
    rebalance of the group. And if one could not stop, it would use up the time in which the next ones have to stop."""

    async def start(self) -> None:
        await self.connect()
        config = self.config.broker_config
        config.builder = partial(LowLatencyConsumer, **cast("partial[AIOKafkaConsumer]", config.builder).keywords)
        starts = (subscriber.start() for subscriber in self.subscribers)
        started = await asyncio.gather(*starts, return_exceptions=True)
        for result in started:  # only after all starts have ended, because the caller then stops all subscribers
            if isinstance(result, BaseException):
                raise result
        for publisher in self.publishers:
            await publisher.start()
        self.running = True

    async def connect_producer(self, topics: Sequence[str]) -> None:
        """Let the producer learn the leaders of these topics and connect to them. Otherwise the first record of each
        topic would wait for this."""
        producer: Any = self.config.producer
        client: Any = producer._producer.producer.client
        for topic in topics:
            for number in await client._wait_on_metadata(topic):
                await client.ready(client.cluster.leader_for_partition(TopicPartition(topic, number)))

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        await asyncio.gather(*(subscriber.stop() for subscriber in self.subscribers), return_exceptions=True)
        await super().stop(exc_type, exc_val, exc_tb)
