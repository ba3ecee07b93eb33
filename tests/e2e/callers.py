"""Callers of the chaos test: they ask over HTTP and Kafka, and repeat every request."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import ClientError
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from e2e.chaos import Fleet
from e2e.system import Response

REQUEST_SECONDS = 20.0
OPEN_RECIPIENTS = 8
TRY_LATER = (409, 429, 503)


@dataclass
class Accepted:
    """What callers were promised: each message with its recipients."""

    open: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    replies: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def messages(self) -> dict[str, list[str]]:
        return {**self.open, **self.replies}

    @property
    def deliveries(self) -> int:
        return sum(map(len, self.messages.values()))

    @property
    def people(self) -> set[str]:
        return {person for people in self.messages.values() for person in people}

    @property
    def answered(self) -> set[str]:
        """The recipients of replies."""
        return {person for people in self.replies.values() for person in people}


@dataclass
class Callers:
    """Requests over HTTP, repeated with their Idempotency-Key until accepted and once more, and twice over Kafka."""

    fleet: Fleet
    package: str
    chance: Random
    accepted: Accepted = field(default_factory=Accepted)
    _number: int = 0

    def _people(self, count: int) -> list[str]:
        self._number += count
        return [f"2019{number:08}" for number in range(self._number - count, self._number)]

    async def run(self, seconds: float, pause_seconds: float) -> None:
        kinds = (self._open_over_http, self._reply_over_http, self._open_over_kafka, self._reply_over_kafka)
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as requests:
            while time.monotonic() < until:
                requests.create_task(self.chance.choice(kinds)())
                await asyncio.sleep(pause_seconds)

    async def _open_over_http(self) -> None:
        people = self._people(OPEN_RECIPIENTS)
        message_id = await self._accepted("open", {"type": "text", "text": "Hello", "recipients": people})
        self.accepted.open[message_id] = people

    async def _reply_over_http(self) -> None:
        (person,) = self._people(1)
        message_id = await self._accepted("reply", {"type": "text", "text": "Yes", "recipient": person})
        self.accepted.replies[message_id] = [person]

    async def _accepted(self, lane: str, body: Mapping[str, Any]) -> str:
        """Repeat the request, at any instance, until one accepts it; then repeat it once more. Returns the message."""
        key = uuid.uuid4().hex
        accepted: str | None = None
        while True:
            with contextlib.suppress(OSError, ClientError, TimeoutError):
                answer = await self._post(lane, body, key)
                if answer.status in (200, 202) or "message_id" in answer.body:  # a failed reply was accepted as well
                    message_id: str = answer.body["message_id"]
                    if accepted is not None:
                        assert message_id == accepted, "a repeat is a new message"
                        return accepted
                    accepted = message_id
                else:
                    assert answer.status in TRY_LATER, answer.body
            await asyncio.sleep(0.5)

    async def _post(self, lane: str, body: Mapping[str, Any], key: str) -> Response:
        port = self.chance.choice(self.fleet.ingress_ports())
        path = f"/packages/{self.package}/messages/{lane}"
        async with asyncio.timeout(REQUEST_SECONDS):
            return await self.fleet.system.ask("POST", path, body, port=port, Idempotency_Key=key)

    async def _open_over_kafka(self) -> None:
        people = self._people(OPEN_RECIPIENTS)
        message_id = await self._published_twice("open", self.package, {"recipients": people})
        self.accepted.open[message_id] = people

    async def _reply_over_kafka(self) -> None:
        (person,) = self._people(1)
        message_id = await self._published_twice("reply", f"{self.package}:{person}", {"recipient": person})
        self.accepted.replies[message_id] = [person]

    async def _published_twice(self, lane: str, key: str, fields: Mapping[str, Any]) -> str:
        """Readers drop the repeat. Returns the message."""
        message_id, now = f"msg_{uuid.uuid4().hex}", self.fleet.system.clock().isoformat()
        body = {
            "package_id": self.package, "message_id": message_id, "content": {"type": "text", "text": "Hello"},
            "requested_at": now, **fields,
        }  # fmt: skip
        headers = {
            "ce_specversion": "1.0", "ce_type": f"spreader.message-requested.{lane}.v1", "ce_source": "/chaos",
            "ce_id": f"{message_id}/0" if lane == "open" else message_id, "ce_time": now,
            "content-type": "application/json",
        }  # fmt: skip
        record = (json.dumps(body).encode(), [(name, value.encode()) for name, value in headers.items()])
        for _ in range(2):
            await self._published(f"spreader.message-requested.{lane}", key.encode(), record)
        return message_id

    async def _published(self, topic: str, key: bytes, record: tuple[bytes, list[tuple[str, bytes]]]) -> None:
        servers = f"127.0.0.1:{self.fleet.system.ports['kafka']}"
        while True:
            producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", request_timeout_ms=10_000)
            try:
                await producer.start()
                await producer.send_and_wait(topic, record[0], key=key, headers=record[1])
                return
            except (OSError, KafkaError):
                await asyncio.sleep(1)
            finally:
                await producer.stop()
