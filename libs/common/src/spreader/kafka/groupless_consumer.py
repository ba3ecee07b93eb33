"""Groupless consumer: reads whole partitions without joining a consumer group and without committing offsets."""

import asyncio
import contextlib
from typing import Literal

from aiokafka import AIOKafkaConsumer

from spreader.kafka.batching import PatientConsumer, fetch_wait_ms
from spreader.kafka.client import client_arguments
from spreader.kafka.lifetimes import closed, started
from spreader.settings import Settings


class GrouplessConsumer:
    """A component that reads in a background task. Each instance of a service gets all records.

    A subclass implements `seek` (assign partitions and choose where to begin) and `poll` (read and handle a batch).
    """

    def __init__(self, settings: Settings, offset_reset: Literal["earliest", "latest"]) -> None:
        self._settings = settings
        self._offset_reset = offset_reset
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def seek(self, consumer: AIOKafkaConsumer) -> None:
        raise NotImplementedError

    async def poll(self, consumer: AIOKafkaConsumer) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        consumer = PatientConsumer(
            **client_arguments(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset=self._offset_reset,
            fetch_max_wait_ms=fetch_wait_ms(self._settings),
        )
        await started(consumer.start(), consumer.stop)
        try:
            await self.seek(consumer)
        except BaseException:
            await closed(consumer.stop())
            raise
        self._consumer = consumer
        self._task = asyncio.create_task(self._read(consumer))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._consumer is not None:
            await closed(self._consumer.stop())

    def not_ready_reason(self) -> str | None:
        return None if self.is_live() else "it stopped reading"

    def is_live(self) -> bool:
        return self._task is None or not self._task.done()

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self.poll(consumer)
