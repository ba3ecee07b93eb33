"""Bare router: does the least that a router could do. It decodes each request and produces as much output as our
router."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import child
from bench.topics import BARE_TOPIC
from spreader.contract.events import AssignedDelivery, OpenDeliveriesAssigned, OpenMessageRequested
from spreader.kafka.client import PRODUCE_BATCH_BYTES
from spreader.kafka.envelope import decode, encode, read_headers

GRACE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class BareRouter:
    """Reads `records` requests from the beginning of the topic."""

    kafka: str
    records: int

    async def run(self) -> float:
        """Starts a process that routes the requests. Returns recipients per second."""
        return await child.ask("bench.router.bare_router", asdict(self), GRACE_SECONDS)


async def _run(plan: BareRouter) -> float:
    topic = OpenMessageRequested.topic
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=plan.kafka, group_id=None, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(
        bootstrap_servers=plan.kafka, acks="all", max_batch_size=PRODUCE_BATCH_BYTES, max_request_size=8 * 1024 * 1024
    )
    await consumer.start()
    await producer.start()
    try:
        done = recipients = 0
        began: float | None = None
        while done < plan.records:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=4)).values():
                began = began or time.monotonic()
                for record in records:
                    event = decode(topic, read_headers(record.headers), record.value)
                    assert isinstance(event, OpenMessageRequested)
                    await _produce(producer, event)
                    done, recipients = done + 1, recipients + len(event.recipients)
        assert began is not None
        return recipients / (time.monotonic() - began)
    finally:
        await consumer.stop()
        await producer.stop()


async def _produce(producer: AIOKafkaProducer, event: OpenMessageRequested) -> None:
    deliveries = tuple(
        AssignedDelivery(
            delivery_id=f"dlv_{event.message_id}_{index}", recipient=recipient, profile_id="bench-1", index=index
        )
        for index, recipient in enumerate(event.recipients, event.first_index)
    )
    assigned = OpenDeliveriesAssigned(
        package_id=event.package_id,
        message_id=event.message_id,
        content=event.content,
        options=event.options,
        requested_at=event.requested_at,
        total=event.total,
        strategy="round_robin",
        deliveries=deliveries,
    )
    sealed = encode(assigned, "router", event.requested_at)
    headers = [(name, value.encode()) for name, value in sealed.headers.items()]
    await producer.send_and_wait(BARE_TOPIC, sealed.body, sealed.key, headers=headers)


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(BareRouter(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
