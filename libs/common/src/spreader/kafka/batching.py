"""Batching: a consumer that returns a batch as soon as its first record arrives, or a chosen time later with the rest.

FastStream polls every `batch_timeout_ms` and sleeps as long after each empty poll: a record that arrives during the
sleep waits for its end, and each idle subscriber polls 25 times a second.
"""

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

IDLE_MS = 500

Batches = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]


class LowLatencyConsumer(AIOKafkaConsumer):
    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Batches:
        """The next records; empty when none arrived for half a second.

        `timeout_ms` is not how long to wait for the first record, but how long to gather others after it.
        """
        batches: Batches = await super().getmany(*partitions, timeout_ms=IDLE_MS, max_records=max_records)
        left = None if max_records is None else max_records - sum(map(len, batches.values()))
        if not batches or not timeout_ms or left == 0:
            return batches
        await asyncio.sleep(timeout_ms / 1000)
        # The first records have left aiokafka's buffer: an error here would lose them. The next call raises it again.
        with contextlib.suppress(KafkaError, ConsumerStoppedError):
            merge_records(batches, await super().getmany(*partitions, max_records=left))
        return batches


def merge_records(batches: Batches, more: Batches) -> None:
    """Append `more` to `batches`. A partition that was revoked and assigned again meanwhile begins again in `more`."""
    for partition, records in more.items():
        before = batches.get(partition, [])
        continues = not before or before[-1].offset < records[0].offset
        batches[partition] = [*before, *records] if continues else records
