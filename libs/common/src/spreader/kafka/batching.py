"""Consumer: a batch is handed over as its first record comes, or a chosen moment later with what came meanwhile.

FastStream asks for a batch every `batch_timeout_ms` and sleeps as long after each empty answer: a record that comes
during the sleep waits for its end, and each idle subscriber asks 25 times a second.
"""

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

IDLE_MS = 500

Found = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]


class LowLatencyConsumer(AIOKafkaConsumer):
    async def getmany(self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Found:
        """The next records; empty where none came for half a second.

        `timeout_ms` is not the wait for the first of them, but how long to gather others after it.
        """
        found: Found = await super().getmany(*partitions, timeout_ms=IDLE_MS, max_records=max_records)
        left = None if max_records is None else max_records - sum(map(len, found.values()))
        if not found or not timeout_ms or left == 0:
            return found
        await asyncio.sleep(timeout_ms / 1000)
        # What was found has left aiokafka's buffer: an error must not take it along. The next call raises it again.
        with contextlib.suppress(KafkaError, ConsumerStoppedError):
            merge_records(found, await super().getmany(*partitions, max_records=left))
        return found


def merge_records(found: Found, more: Found) -> None:
    """Add to `found` what came after it. A partition that was given away and back meanwhile begins again in `more`."""
    for place, records in more.items():
        before = found.get(place, [])
        goes_on = not before or before[-1].offset < records[0].offset
        found[place] = [*before, *records] if goes_on else records
