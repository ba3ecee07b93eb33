"""Batching: a consumer that returns a batch when its first record arrives, or a chosen time later with more records.

Without it, FastStream polls every `batch_timeout_ms` and sleeps for the same time after each empty poll. A record that
arrives during the sleep would wait until the sleep ends, and each idle subscriber would poll 25 times a second.
"""

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, RequestTimedOutError

IDLE_MS = 500
COMMIT_SECONDS = 20.0

Batches = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]


class LowLatencyConsumer(AIOKafkaConsumer):
    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Batches:
        """The next records, or nothing if none arrived for half a second.

        `timeout_ms` says how long to gather more records after the first one. It does not limit the wait for the first
        record.
        """
        batches: Batches = await super().getmany(*partitions, timeout_ms=IDLE_MS, max_records=max_records)
        left = None if max_records is None else max_records - sum(map(len, batches.values()))
        if not batches or not timeout_ms or left == 0:
            return batches
        await asyncio.sleep(timeout_ms / 1000)
        # The first records have left aiokafka's buffer, so raising an error here would lose them. The next call raises
        # the error.
        with contextlib.suppress(KafkaError, ConsumerStoppedError):
            merge_records(batches, await super().getmany(*partitions, max_records=left))
        return batches

    async def commit(self, offsets: Any = None) -> None:
        """Commits within `COMMIT_SECONDS` or raises an error. aiokafka alone would try until Kafka is back.

        After an error, the next commit covers these offsets too.
        """
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await super().commit(offsets)
        except TimeoutError as error:
            raise RequestTimedOutError(f"no commit within {COMMIT_SECONDS:g} s") from error


def merge_records(batches: Batches, more: Batches) -> None:
    """Append `more` to `batches`.

    If a partition was revoked and assigned again meanwhile, its records were read again. Then the records in `more`
    replace those in `batches`.
    """
    for partition, records in more.items():
        before = batches.get(partition, [])
        continues = not before or before[-1].offset < records[0].offset
        batches[partition] = [*before, *records] if continues else records
