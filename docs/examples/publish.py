"""Publish an open message and a reply straight to Kafka, with a plain client and nothing of Spreader's.

Run it against `make up`: python docs/examples/publish.py 127.0.0.1:9092 demo 201000000301 201000000302
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer


def record(kind: str, event_id: str, body: dict[str, object], now: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A CloudEvent in Kafka's binary mode: the facts about the event are headers, the event is the body."""
    headers = {
        "ce_specversion": "1.0",
        "ce_type": kind,
        "ce_source": "/billing",  # who you are
        "ce_id": event_id,  # the same fact has the same id, however often it is published
        "ce_time": now,
        "content-type": "application/json",
    }
    return json.dumps(body).encode(), [(name, value.encode()) for name, value in headers.items()]


async def main(servers: str, package_id: str, *recipients: str) -> None:
    now = datetime.now(UTC).isoformat()  # noqa: TID251 - a program of its own, with no other clock
    content = {"type": "text", "text": "Your invoice is ready."}
    base = {"package_id": package_id, "content": content, "requested_at": now}
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        # Open chat: up to 500 recipients a record. The key is the package: its records stay in order.
        message_id = f"msg_{uuid.uuid4().hex}"
        body, headers = record(
            "spreader.message-requested.open.v1",
            f"{message_id}/0",
            {**base, "message_id": message_id, "recipients": recipients, "options": {"waiting_strategy": "queued"}},
            now,
        )
        await producer.send_and_wait("spreader.message-requested.open", body, key=package_id.encode(), headers=headers)
        print(message_id)  # noqa: T201 - a program that says what it did

        # A reply: one recipient. The key is package:recipient: what the customer wrote has the same one.
        message_id = f"msg_{uuid.uuid4().hex}"
        body, headers = record(
            "spreader.message-requested.reply.v1",
            message_id,
            {**base, "message_id": message_id, "recipient": recipients[0]},
            now,
        )
        key = f"{package_id}:{recipients[0]}".encode()
        await producer.send_and_wait("spreader.message-requested.reply", body, key=key, headers=headers)
        print(message_id)  # noqa: T201 - a program that says what it did


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
