"""Reply: how long a customer's answer takes from the POST until the gateway has it, beside three bare Kafka hops."""

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
from bench.log import HOP_TOPICS, PARTITIONS, Log
from bench.messages import PACKAGE, customers, reply_body, reply_record
from bench.progress import Progress
from bench.system import System
from spreader.clock import wall_now

ROUNDS = 3
REPLIES_ALONE = 200
REPLIES_AT_RATE = 300
WARM = 60
PER_SECOND = 50.0
SECONDS_MAX = 20.0
SAMPLES_MIN = 50
HOP_SECONDS_MAX = 10.0

Once = Callable[[str], Awaitable[None]]
Pace = Callable[[Once, tuple[str, ...]], Awaitable[list[float]]]


class Taken(NamedTuple):
    """Milliseconds, of each reply."""

    answered: list[float]
    at_gateway: list[float]


async def one_by_one(once: Once, recipients: tuple[str, ...]) -> list[float]:
    """Milliseconds of each; ends early when the time is over."""
    taken, until = list[float](), time.monotonic() + SECONDS_MAX
    for recipient in recipients:
        began = time.monotonic()
        if began > until:
            break
        await once(recipient)
        taken.append((time.monotonic() - began) * 1e3)
    if len(taken) < SAMPLES_MIN:
        raise child.Failed(f"only {len(taken)} of {len(recipients)} came through within {SECONDS_MAX:g} s")
    return taken


async def at_a_rate(once: Once, recipients: tuple[str, ...]) -> list[float]:
    """Milliseconds of each from the moment it was due: one that is slow does not hide how long the next waits."""
    began = time.monotonic()

    async def at(due: float, recipient: str) -> float:
        await asyncio.sleep(due - time.monotonic())
        await once(recipient)
        return (time.monotonic() - due) * 1e3

    return await asyncio.gather(*(at(began + place / PER_SECOND, each) for place, each in enumerate(recipients)))


@dataclass(slots=True)
class Ours:
    """The whole way: ingress, router, sender, gateway, and back to the caller."""

    system: System
    _posted: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)

    async def once(self, recipient: str) -> None:
        self._posted[recipient] = wall_now()
        status, answer = await self.system.post(f"/packages/{PACKAGE}/messages/reply", reply_body(recipient))
        if (status, answer.get("status")) != (200, "sent"):
            raise child.Failed(f"a reply was answered {status}: {answer}")

    async def at_gateway(self) -> list[float]:
        """Milliseconds from each POST since the last call until the gateway wrote it down."""
        arrived = {line["recipient"]: line["wall"] for line in await self.system.ledger()}
        posted, self._posted = self._posted, {}
        return [(datetime.fromisoformat(arrived[each]) - at).total_seconds() * 1e3 for each, at in posted.items()]


@dataclass(slots=True)
class Bare:
    """Two processes between three topics, and this one at both ends."""

    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    _waiting: dict[bytes, asyncio.Event] = field(default_factory=dict[bytes, asyncio.Event], init=False)

    async def once(self, recipient: str) -> None:
        record = reply_record(recipient)
        assert record.key is not None
        here = self._waiting[record.key] = asyncio.Event()
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        await self.producer.send(HOP_TOPICS[0], record.body, record.key, headers=headers)
        try:
            async with asyncio.timeout(HOP_SECONDS_MAX):
                await here.wait()
        except TimeoutError:
            raise child.Failed(f"a record did not pass the bare hops within {HOP_SECONDS_MAX:g} s") from None

    async def follow(self) -> None:
        while True:
            for records in (await self.consumer.getmany(timeout_ms=POLL_MS)).values():
                for record in records:
                    self._waiting.pop(record.key or b"").set()


@asynccontextmanager
async def _bare(kafka: str) -> AsyncGenerator[Bare]:
    async with AsyncExitStack() as stack:
        for source, target in pairwise(HOP_TOPICS):
            await stack.enter_async_context(child.serving("bench.bare_hop", kafka, source, target, str(PARTITIONS)))
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=0)
        await producer.start()
        stack.push_async_callback(producer.stop)
        consumer = await consumer_at_end(kafka, HOP_TOPICS[-1], PARTITIONS)
        stack.push_async_callback(consumer.stop)
        bare = Bare(producer, consumer)
        following = asyncio.create_task(bare.follow())
        stack.callback(following.cancel)
        yield bare


@dataclass(slots=True)
class Replies:
    system: System
    log: Log
    progress: Progress
    _first: int = field(default=0, init=False)

    async def figures(self) -> list[Figure]:
        ours = Ours(self.system)
        async with _bare(self.log.kafka) as bare:
            await one_by_one(ours.once, self._customers(WARM))
            await one_by_one(bare.once, self._customers(WARM))
            await ours.at_gateway()
            alone = await self._rounds("replies one by one", ours, bare, one_by_one, REPLIES_ALONE)
            crowd = await self._rounds(f"replies at {PER_SECOND:g} a second", ours, bare, at_a_rate, REPLIES_AT_RATE)
        return [*alone, *crowd]

    async def _rounds(self, what: str, ours: Ours, bare: Bare, pace: Pace, count: int) -> list[Figure]:
        rounds: list[tuple[Taken, list[float]]] = []
        for number in range(ROUNDS):
            answered = await pace(ours.once, self._customers(count))
            taken = Taken(answered, await ours.at_gateway())
            rounds.append((taken, await pace(bare.once, self._customers(count))))
            medians = [statistics.median(each) for each in (*taken, rounds[-1][1])]
            self.progress.say(
                f"{what}, round {number + 1} of {ROUNDS}: answered in {medians[0]:.1f} ms, at the gateway in "
                f"{medians[1]:.1f} ms, bare {medians[2]:.1f} ms"
            )
        return _figures(what, rounds)

    def _customers(self, count: int) -> tuple[str, ...]:
        first, self._first = self._first, self._first + count
        return customers(first, count)


def _figures(what: str, rounds: list[tuple[Taken, list[float]]]) -> list[Figure]:
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
