"""Bare producer: aiokafka alone, with the same records that the ingress writes for large requests."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import uvloop
from aiokafka import AIOKafkaProducer

from bench import child
from bench.messages import customers, open_records
from bench.topics import BARE_TOPIC
from spreader.kafka.client import PRODUCE_BATCH_BYTES, PUBLISH_WINDOW
from spreader.kafka.envelope import Envelope

GRACE_SECONDS = 30.0
LINGER_MS = 5


@dataclass(frozen=True, slots=True)
class BareProducer:
    kafka: str
    requests: int
    recipients: int
    seconds_max: float

    async def run(self) -> float:
        """Starts a process that publishes the records. Returns recipients per second, measured until Kafka has
        acknowledged all published records. The process publishes windows of `PUBLISH_WINDOW` records. It begins no new
        window after `seconds_max`."""
        return await child.ask("bench.bare_producer", asdict(self), self.seconds_max + GRACE_SECONDS)


async def _run(plan: BareProducer) -> float:
    envelopes = [
        envelope
        for number in range(plan.requests)
        for envelope in open_records(customers(number * plan.recipients, plan.recipients))
    ]
    producer = AIOKafkaProducer(
        bootstrap_servers=plan.kafka, acks="all", linger_ms=LINGER_MS, max_batch_size=PRODUCE_BATCH_BYTES
    )
    await producer.start()
    try:
        await _produce(producer, envelopes[:2])  # warm: metadata, connection
        began, produced = time.monotonic(), 0
        while produced < len(envelopes) and time.monotonic() - began < plan.seconds_max:
            window = envelopes[produced : produced + PUBLISH_WINDOW]
            await _produce(producer, window)
            produced += len(window)
        return produced * plan.recipients * plan.requests / len(envelopes) / (time.monotonic() - began)
    finally:
        await producer.stop()


async def _produce(producer: AIOKafkaProducer, envelopes: Sequence[Envelope]) -> None:
    headers = [[(name, value.encode()) for name, value in each.headers.items()] for each in envelopes]
    acknowledged = [
        await producer.send(BARE_TOPIC, each.body, each.key, headers=header)
        for each, header in zip(envelopes, headers, strict=True)
    ]
    await asyncio.gather(*acknowledged)


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(BareProducer(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
