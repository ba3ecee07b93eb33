"""Hops: the path of a reply in steps. A step begins and ends at a time that can be seen from outside the services."""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.child import MeasurementError
from bench.figures import p99
from bench.messages import PACKAGE, customers, reply_body
from bench.system import BenchSystem
from bench.turns.processes import processor_seconds
from spreader.clock import wall_now
from spreader.contract.events import PARTITIONS, ReplyDeliveryAssigned, ReplyMessageRequested, ReplySettled
from spreader.kafka.envelope import decode, read_headers

READ_SECONDS = 20.0
ReplyEvent = ReplyMessageRequested | ReplyDeliveryAssigned | ReplySettled
STEPS = (
    ("ingress", "from the due time of the POST until the request is handed to Kafka"),
    ("router", "until the assignment is handed to Kafka"),
    ("sender", "until the gateway has the message (its send ledger)"),
    ("sender", "until the result is handed to Kafka"),
    ("ingress", "until the caller has the answer"),
)
"""The service that has the reply during a step, and where the step ends."""


class Hop(NamedTuple):
    service: str
    what: str
    median: float
    p99: float


@dataclass(frozen=True, slots=True)
class ReplyPath:
    """The wall times of one reply: the begin of the first step, and the end of each step."""

    times: Sequence[datetime]

    def milliseconds(self, step: int) -> float:
        return (self.times[step + 1] - self.times[step]).total_seconds() * 1e3


@dataclass(slots=True)
class HopLoad:
    """Sends replies at a fixed rate. It reads the records in Kafka and the send ledger only after the last answer, so
    that reading does not change the measured times."""

    system: BenchSystem
    per_second: float
    seconds: float
    first: int
    _posted: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)
    _answered: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)
    _recipients: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """The recipient of each message."""

    async def run(self) -> tuple[list[Hop], Mapping[str, float]]:
        """The hops, and the processor time of each process for one reply, in ms."""
        pids = self.system.pids()
        before = {name: processor_seconds(pid) for name, pid in pids.items()}
        recipients = customers(self.first, round(self.per_second * self.seconds))
        start, wall = time.monotonic(), wall_now()
        dues = [number / self.per_second for number in range(len(recipients))]
        await asyncio.gather(
            *(
                self._send(recipient, start + due, wall + timedelta(seconds=due))
                for recipient, due in zip(recipients, dues, strict=True)
            )
        )
        spent = {name: (processor_seconds(pid) - before[name]) * 1e3 / len(recipients) for name, pid in pids.items()}
        return self._hops(await self._paths()), spent

    async def _send(self, recipient: str, due: float, wall_due: datetime) -> None:
        await asyncio.sleep(due - time.monotonic())
        status, answer = await self.system.post(f"/packages/{PACKAGE}/messages/reply", reply_body(recipient))
        if (status, answer.get("status")) != (200, "sent"):
            raise MeasurementError(f"a reply got status {status}: {answer}")
        self._posted[recipient], self._answered[recipient] = wall_due, wall_now()
        self._recipients[answer["message_id"]] = recipient

    async def _paths(self) -> list[ReplyPath]:
        requested = await self._written(ReplyMessageRequested)
        assigned = await self._written(ReplyDeliveryAssigned)
        settled = await self._written(ReplySettled)
        arrived = {line["recipient"]: datetime.fromisoformat(line["wall"]) for line in await self.system.ledger()}
        return [
            ReplyPath(
                (
                    self._posted[recipient],
                    requested[message],
                    assigned[message],
                    arrived[recipient],
                    settled[message],
                    self._answered[recipient],
                )
            )
            for message, recipient in self._recipients.items()
        ]

    async def _written(self, kind: type[ReplyEvent]) -> dict[str, datetime]:
        """When the record of each message was handed to Kafka, by the clock of the service, in whole ms."""
        consumer: Any = AIOKafkaConsumer(bootstrap_servers=self.system.kafka, enable_auto_commit=False)
        await consumer.start()
        written = dict[str, datetime]()
        try:
            partitions = [TopicPartition(kind.topic, number) for number in range(PARTITIONS[kind.topic])]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            async with asyncio.timeout(READ_SECONDS):
                while not written.keys() >= self._recipients.keys():
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        for record in records:
                            event: Any = decode(record.topic, read_headers(record.headers), record.value)
                            if isinstance(event, kind):
                                at = datetime.fromtimestamp(record.timestamp / 1e3, wall_now().tzinfo)
                                written[event.message_id] = at
        finally:
            await consumer.stop()
        return written

    def _hops(self, paths: Sequence[ReplyPath]) -> list[Hop]:
        taken = [[path.milliseconds(step) for path in paths] for step in range(len(STEPS))]
        whole = [sum(path.milliseconds(step) for step in range(len(STEPS))) for path in paths]
        steps = [Hop(*STEPS[step], statistics.median(each), p99(each)) for step, each in enumerate(taken)]
        what = "from the due time of the POST until the answer"
        return [*steps, Hop("all", what, statistics.median(whole), p99(whole))]
