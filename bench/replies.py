"""Replies: the time from the POST of a reply until the gateway has it, beside three bare Kafka hops."""

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import child
from bench.bare_hop import POLL_MS, consumer_at_end
from bench.figures import Figure, Pair, p99
from bench.messages import PACKAGE, customers, reply_body, reply_record
from bench.progress import Progress
from bench.system import BenchSystem
from bench.topics import HOP_TOPICS, PARTITIONS, Topics
from spreader.clock import wall_now

ROUNDS = 3
REPLIES_ALONE = 200
REPLIES_AT_RATE = 300
WARM = 60
PER_SECOND = 50.0
SECONDS_MAX = 20.0
SAMPLES_MIN = 50
HOP_SECONDS_MAX = 10.0

SendReply = Callable[[str], Awaitable[None]]
Schedule = Callable[[SendReply, tuple[str, ...]], Awaitable[list[float]]]


class ReplyTimes(NamedTuple):
    """Milliseconds from the POST of each reply. `answered` is the time until its response, and `at_gateway` the time
    until the gateway has the reply."""

    answered: list[float]
    at_gateway: list[float]


async def one_by_one(send: SendReply, recipients: tuple[str, ...]) -> list[float]:
    """Send one reply after the other. Returns milliseconds for each. Ends early after `SECONDS_MAX`."""
    taken, until = list[float](), time.monotonic() + SECONDS_MAX
    for recipient in recipients:
        began = time.monotonic()
        if began > until:
            break
        await send(recipient)
        taken.append((time.monotonic() - began) * 1e3)
    if len(taken) < SAMPLES_MIN:
        raise child.MeasurementError(f"only {len(taken)} of {len(recipients)} came through within {SECONDS_MAX:g} s")
    return taken


async def at_a_rate(send: SendReply, recipients: tuple[str, ...]) -> list[float]:
    """Send replies at a fixed rate. Returns the milliseconds of each reply, counted from the time at which it was due.

    Each reply is sent when it is due, even if earlier ones are not finished. So its time includes any wait for them.
    """
    began = time.monotonic()

    async def at(due: float, recipient: str) -> float:
        await asyncio.sleep(due - time.monotonic())
        await send(recipient)
        return (time.monotonic() - due) * 1e3

    return await asyncio.gather(
        *(at(began + number / PER_SECOND, recipient) for number, recipient in enumerate(recipients))
    )


@dataclass(slots=True)
class SystemReplies:
    """Replies through the whole system: ingress, router, sender, gateway, and back to the caller."""

    system: BenchSystem
    _posted: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)

    async def send(self, recipient: str) -> None:
        self._posted[recipient] = wall_now()
        status, answer = await self.system.post(f"/packages/{PACKAGE}/messages/reply", reply_body(recipient))
        if (status, answer.get("status")) != (200, "sent"):
            raise child.MeasurementError(f"a reply got status {status}: {answer}")

    async def at_gateway(self) -> list[float]:
        """Milliseconds from the POST of each reply until its line in the gateway's ledger. Only replies that were
        posted since the last call of this method count."""
        arrived = {line["recipient"]: line["wall"] for line in await self.system.ledger()}
        posted, self._posted = self._posted, {}
        return [(datetime.fromisoformat(arrived[each]) - at).total_seconds() * 1e3 for each, at in posted.items()]


@dataclass(slots=True)
class BareReplies:
    """Sends records through three topics. Two processes copy them from topic to topic. This process writes to the first
    topic and reads the last."""

    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    _waiting: dict[bytes, asyncio.Event] = field(default_factory=dict[bytes, asyncio.Event], init=False)

    async def send(self, recipient: str) -> None:
        record = reply_record(recipient)
        assert record.key is not None
        arrived_back = self._waiting[record.key] = asyncio.Event()
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        await self.producer.send(HOP_TOPICS[0], record.body, record.key, headers=headers)
        try:
            async with asyncio.timeout(HOP_SECONDS_MAX):
                await arrived_back.wait()
        except TimeoutError:
            raise child.MeasurementError(f"a record did not pass the bare hops within {HOP_SECONDS_MAX:g} s") from None

    async def follow(self) -> None:
        while True:
            for records in (await self.consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    self._waiting.pop(record.key or b"").set()


@asynccontextmanager
async def _bare(kafka: str) -> AsyncGenerator[BareReplies]:
    async with AsyncExitStack() as stack:
        for source, target in pairwise(HOP_TOPICS):
            await stack.enter_async_context(child.serving("bench.bare_hop", kafka, source, target, str(PARTITIONS)))
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=0)
        await producer.start()
        stack.push_async_callback(producer.stop)
        consumer = await consumer_at_end(kafka, HOP_TOPICS[-1], PARTITIONS)
        stack.push_async_callback(consumer.stop)
        bare = BareReplies(producer, consumer)
        following = asyncio.create_task(bare.follow())
        stack.callback(following.cancel)
        yield bare


@dataclass(slots=True)
class ReplyBench:
    system: BenchSystem
    topics: Topics
    progress: Progress
    _first: int = field(default=0, init=False)

    async def figures(self) -> list[Figure]:
        ours = SystemReplies(self.system)
        async with _bare(self.topics.kafka) as bare:
            await one_by_one(ours.send, self._customers(WARM))
            await one_by_one(bare.send, self._customers(WARM))
            await ours.at_gateway()
            alone = await self._rounds("replies one by one", ours, bare, one_by_one, REPLIES_ALONE)
            crowd = await self._rounds(f"replies at {PER_SECOND:g} a second", ours, bare, at_a_rate, REPLIES_AT_RATE)
        return [*alone, *crowd]

    async def _rounds(
        self, what: str, ours: SystemReplies, bare: BareReplies, schedule: Schedule, count: int
    ) -> list[Figure]:
        rounds: list[tuple[ReplyTimes, list[float]]] = []
        for number in range(ROUNDS):
            answered = await schedule(ours.send, self._customers(count))
            taken = ReplyTimes(answered, await ours.at_gateway())
            rounds.append((taken, await schedule(bare.send, self._customers(count))))
            medians = [statistics.median(each) for each in (*taken, rounds[-1][1])]
            self.progress.say(
                f"{what}, round {number + 1} of {ROUNDS}: answered in {medians[0]:.1f} ms, at the gateway in "
                f"{medians[1]:.1f} ms, bare {medians[2]:.1f} ms"
            )
        return _figures(what, rounds)

    def _customers(self, count: int) -> tuple[str, ...]:
        first, self._first = self._first, self._first + count
        return customers(first, count)


def _figures(what: str, rounds: list[tuple[ReplyTimes, list[float]]]) -> list[Figure]:
    statistic = {"median": statistics.median, "p99": p99}
    return [
        Figure(
            f"{what}, {until}, {name}",
            "three bare Kafka hops",
            "ms",
            "less",
            tuple(Pair(of(taken[place]), of(bare)) for taken, bare in rounds),
        )
        for place, until in enumerate(("POST to answer", "POST to gateway"))
        for name, of in statistic.items()
    ]
