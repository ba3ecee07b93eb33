"""Chaos: several instances of every service, random faults on all of them, and callers that repeat their requests."""

import asyncio
import contextlib
import json
import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import ClientError
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from e2e.system import ExtraProcess, Response, RunningSystem, eventually

from spreader.clock import wall_now

INSTANCES = 3
REPLICATED = ("ingress", "router", "pacer", "sender", "stats")
FREEZE_SECONDS = (1.0, 12.0)
BETWEEN_FAULTS_SECONDS = (1.0, 6.0)
READY_SECONDS = 90.0
REQUEST_SECONDS = 20.0
OPEN_RECIPIENTS = 20
LIMITS = {"per_hour": 6, "per_3_hours": 12, "per_day": 60, "per_recipient_per_day": None}

ODD_ANSWERS = ("delay", "hang", "die", "fail_after_sending", "double_receipts", "late_receipts", "disordered_receipts")
"""Faults of the simulated gateway: answers that are late, never come, or say the opposite of what happened."""


@dataclass
class Fleet:
    """`make up` with further instances of each service beside it."""

    system: RunningSystem
    others: list[ExtraProcess] = field(default_factory=list[ExtraProcess])

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, system: RunningSystem, instances: int = INSTANCES) -> AsyncGenerator["Fleet"]:
        fleet = cls(system)
        try:
            names = [name for name in REPLICATED for _ in range(instances - 1)]
            fleet.others += await asyncio.gather(*map(system.start_extra_process, names))
            yield fleet
        finally:
            for other in fleet.others:
                await other.kill()

    def ingress_ports(self) -> list[int]:
        return [self.system.ports["ingress"], *(other.port for other in self.others if other.name == "ingress")]

    async def all_ready(self) -> bool:
        ports = [self.system.ports[name] for name in REPLICATED] + [other.port for other in self.others]
        try:
            return all([(await self.system.ready(port=port)).status == 200 for port in ports])
        except (OSError, ClientError, TimeoutError):
            return False


@dataclass
class Faults:
    """Random faults, one at a time or overlapping, until `stop` is called. All come from one seed."""

    fleet: Fleet
    chance: Random
    log: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter[str])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            kinds: Sequence[Callable[[], Awaitable[None]]] = (
                self._kill_instance, self._kill_instance, self._freeze_instance, self._kill_kafka, self._stop_postgres,
                self._kill_owned, self._odd_gateway,
            )  # fmt: skip
            task = asyncio.create_task(self._tried(self.chance.choice(kinds)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(self.chance.uniform(*BETWEEN_FAULTS_SECONDS))
        await asyncio.gather(*self._tasks)
        await self._clear_gateway()

    async def _tried(self, fault: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(OSError, ClientError, AssertionError, TimeoutError, KeyError):
            await fault()  # the victim may be down already: the next fault comes soon

    def _note(self, kind: str, victim: str) -> None:
        self.counts[f"{kind} {victim}"] += 1
        self.log(f"{kind} {victim}")

    async def _kill_instance(self) -> None:
        victim = self.chance.choice(self.fleet.others)
        self._note("kill", victim.name)
        await victim.kill()
        await victim.restart()

    async def _kill_owned(self) -> None:
        name = self.chance.choice((*REPLICATED, "simulator"))
        self._note("kill", name)
        self.fleet.system.kill(name)

    async def _freeze_instance(self) -> None:
        name = self.chance.choice(REPLICATED)
        pid = self.fleet.system.pid(name)
        assert pid is not None
        self._note("freeze", name)
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(self.chance.uniform(*FREEZE_SECONDS))
        finally:
            os.kill(pid, signal.SIGCONT)

    async def _kill_kafka(self) -> None:
        self._note("kill", "kafka")
        self.fleet.system.kill("kafka")

    async def _stop_postgres(self) -> None:
        pid = self.fleet.system.pid("postgres")
        assert pid is not None
        self._note("stop at once", "postgres")
        os.kill(pid, signal.SIGQUIT)

    async def _odd_gateway(self) -> None:
        kind = self.chance.choice(ODD_ANSWERS)
        self._note("gateway", kind)
        body = {"kind": kind, "count": self.chance.randint(1, 5), "seconds": round(self.chance.uniform(0.5, 5), 1)}
        await self.fleet.system.ask_simulator("POST", "/faults", body)

    async def _clear_gateway(self) -> None:
        async def cleared() -> bool:
            with contextlib.suppress(OSError, ClientError):
                return (await self.fleet.system.ask_simulator("DELETE", "/faults")).status == 200
            return False

        await eventually(cleared, READY_SECONDS)


@dataclass
class Accepted:
    """What callers were promised: each message with its lane and its recipients."""

    open: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    replies: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def deliveries(self) -> int:
        return len(self.replies) + sum(map(len, self.open.values()))


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
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as requests:
            while time.monotonic() < until:
                send = self.chance.choice((self._open_over_http, self._reply_over_http, self._open_over_kafka))
                requests.create_task(send())
                await asyncio.sleep(pause_seconds)

    async def _open_over_http(self) -> None:
        people = self._people(OPEN_RECIPIENTS)
        body = {"type": "text", "text": "Hello", "recipients": people}
        answer = await self._accepted("open", body)
        self.accepted.open[answer.body["message_id"]] = people

    async def _reply_over_http(self) -> None:
        (person,) = self._people(1)
        answer = await self._accepted("reply", {"type": "text", "text": "Yes", "recipient": person})
        self.accepted.replies[answer.body["message_id"]] = person

    async def _accepted(self, lane: str, body: Mapping[str, Any]) -> Response:
        """Repeat the request, at any instance, until one accepts it; then repeat it once more."""
        key = uuid.uuid4().hex
        accepted: Response | None = None
        while True:
            with contextlib.suppress(OSError, ClientError, TimeoutError):
                answer = await self._post(lane, body, key)
                if answer.status in (200, 202):
                    if accepted is not None:
                        assert answer.body["message_id"] == accepted.body["message_id"], "a repeat is a new message"
                        return accepted
                    accepted = answer
                else:
                    assert answer.status in (409, 429, 500, 503), answer.body
                    assert answer.status != 500, answer.body
            await asyncio.sleep(0.5)

    async def _post(self, lane: str, body: Mapping[str, Any], key: str) -> Response:
        port = self.chance.choice(self.fleet.ingress_ports())
        path = f"/packages/{self.package}/messages/{lane}"
        async with asyncio.timeout(REQUEST_SECONDS):
            return await self.fleet.system.ask("POST", path, body, port=port, Idempotency_Key=key)

    async def _open_over_kafka(self) -> None:
        """Published twice: readers drop the repeat."""
        people = self._people(OPEN_RECIPIENTS)
        message_id = f"msg_{uuid.uuid4().hex}"
        now = wall_now().isoformat()
        body = {
            "package_id": self.package, "message_id": message_id, "content": {"type": "text", "text": "Hello"},
            "requested_at": now, "recipients": people, "options": {"waiting_strategy": "queued"},
        }  # fmt: skip
        headers = {
            "ce_specversion": "1.0", "ce_type": "spreader.message-requested.open.v1", "ce_source": "/chaos",
            "ce_id": f"{message_id}/0", "ce_time": now, "content-type": "application/json",
        }  # fmt: skip
        record = (json.dumps(body).encode(), [(name, value.encode()) for name, value in headers.items()])
        for _ in range(2):
            await self._published("spreader.message-requested.open", self.package.encode(), record)
        self.accepted.open[message_id] = people

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
