"""Command: `python -m bench router` measures one router process and writes the results."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer

from bench.bare_hop import POLL_MS, consumer_at_end
from bench.child import MeasurementError, serving
from bench.command import run
from bench.figures import Figure, Pair, p99
from bench.messages import PACKAGE, customers, open_records, reply_record
from bench.progress import Progress
from bench.router.bare_router import BareRouter
from bench.servers import Servers, ServiceProcess, servers
from bench.topics import HOP_TOPICS, PARTITIONS
from spreader.clock import wall_now
from spreader.contract.configuration import Distribution, Gateway, Package, Profile
from spreader.contract.events import OpenDeliveriesAssigned, PackageConfigured, ReplyDeliveryAssigned
from spreader.kafka.envelope import Envelope, encode

ROUNDS = 3
RECORDS = 100
RECIPIENTS_A_RECORD = 500
SECONDS_MAX = 120.0
REPLIES = 200
HOP_SECONDS_MAX = 10.0
CONVERSATIONS = 1_000_000
PROFILES = 20
STRATEGIES: tuple[Distribution, ...] = ("round_robin", "random", "weighted", "smart")
FILL = """
INSERT INTO router.conversation (package_id, recipient, profile_id, customer_at, sent_at)
SELECT $1, '2015' || lpad(number::text, 8, '0'), $1 || '-' || (number % 20), now(), now()
FROM generate_series(0, $2 - 1) AS number ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class RouterBench:
    servers: Servers
    router: ServiceProcess
    progress: Progress
    _next: int = field(default=10_000_000, init=False)

    async def routed(self, strategy: str) -> Figure:
        rounds = list[Pair]()
        for number in range(ROUNDS):
            requests = self._requests(strategy)
            before = await self.servers.topics.record_count(OpenDeliveriesAssigned.topic)
            began = time.monotonic()
            await self.servers.publish(requests)
            ended = await self.servers.topics.wait_for(
                OpenDeliveriesAssigned.topic, before + len(requests), SECONDS_MAX
            )
            if ended is None:
                raise MeasurementError(f"{strategy}: not all was routed within {SECONDS_MAX:g} s")
            ours = RECORDS * RECIPIENTS_A_RECORD / (ended - began)
            bare = await BareRouter(self.servers.topics.kafka, RECORDS).run()
            rounds.append(Pair(ours, bare))
            self.progress.say(
                f"{strategy}, round {number + 1} of {ROUNDS}: {ours:,.0f} recipients a second, bare {bare:,.0f}"
            )
        what = f"recipients routed, {strategy}, one process"
        return Figure(what, "decoding and producing the same with bare aiokafka", "a second", "more", tuple(rounds))

    async def replies(self, what: str, known: bool) -> list[Figure]:
        """The times of replies to customers. `known` says whether the customers have a conversation."""
        kafka = self.servers.topics.kafka
        rounds: list[tuple[list[float], list[float]]] = []
        async with serving("bench.bare_hop", kafka, HOP_TOPICS[0], HOP_TOPICS[1], str(PARTITIONS)):
            for number in range(ROUNDS):
                people = customers(number * 300_007 if known else self._fresh(REPLIES), REPLIES)
                requests = [reply_record(person) for person in people]
                ours = await self._hops(requests, ReplyDeliveryAssigned.topic)
                bare = await self._hops([replace(each, topic=HOP_TOPICS[0]) for each in requests], HOP_TOPICS[1])
                rounds.append((ours, bare))
                self.progress.say(
                    f"{what}, round {number + 1} of {ROUNDS}: median {statistics.median(ours):.1f} ms, "
                    f"p99 {p99(ours):.1f} ms; bare {statistics.median(bare):.1f} and {p99(bare):.1f} ms"
                )
        return [
            Figure(f"{what}, {name}", "a bare hop", "ms", "less", tuple(Pair(of(a), of(b)) for a, b in rounds))
            for name, of in (("median", statistics.median), ("p99", p99))
        ]

    async def memory(self) -> Figure:
        before = self.router.mebibytes()
        await self.servers.database.execute(FILL, PACKAGE, CONVERSATIONS, timeout=300)
        await self.replies(f"reply hop with {CONVERSATIONS:,} conversations", known=True)
        after = self.router.mebibytes()
        what = f"memory of the router with {CONVERSATIONS:,} conversations"
        return Figure(what, "itself without any", "MiB", "less", (Pair(after, before),))

    async def _hops(self, records: Sequence[Envelope], topic: str) -> list[float]:
        consumer = await consumer_at_end(self.servers.topics.kafka, topic, PARTITIONS)
        try:
            return [await self._hop(each, consumer) for each in records]
        finally:
            await consumer.stop()

    async def _hop(self, record: Envelope, consumer: AIOKafkaConsumer) -> float:
        began = time.monotonic()
        await self.servers.publish([record])
        try:
            async with asyncio.timeout(HOP_SECONDS_MAX):
                while not any((await consumer.getmany(timeout_ms=POLL_MS)).values()):
                    pass
        except TimeoutError:
            raise MeasurementError(f"a record did not pass within {HOP_SECONDS_MAX:g} s") from None
        return (time.monotonic() - began) * 1e3

    def _requests(self, strategy: str) -> list[Envelope]:
        """Requests of the package with this strategy. No two requests share recipients."""
        package = f"{PACKAGE}-{strategy}"
        return [
            envelope
            for _ in range(RECORDS)
            for envelope in open_records(customers(self._fresh(RECIPIENTS_A_RECORD), RECIPIENTS_A_RECORD), package)
        ]

    def _fresh(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first


async def _measure(progress: Progress) -> list[Figure]:
    progress.say("starting a Kafka, a Postgres and a router ...")
    async with servers() as own:
        now = wall_now()
        await own.publish([encode(PackageConfigured(package=each, at=now), "ingress", now) for each in packages()])
        async with own.run_service("router") as router:
            return await _figures(RouterBench(own, router, progress))


async def _figures(run: RouterBench) -> list[Figure]:
    await run.routed("round_robin")  # warm
    figures = [await run.routed(strategy) for strategy in STRATEGIES]
    figures += await run.replies("reply hop to somebody new", known=False)
    figures.append(await run.memory())
    return figures + await run.replies(f"reply hop among {CONVERSATIONS:,} conversations", known=True)


def packages() -> list[Package]:
    """A package for replies and memory, and one package for each strategy."""
    return [_package(PACKAGE, "round_robin"), *(_package(f"{PACKAGE}-{each}", each) for each in STRATEGIES)]


def _package(package_id: str, strategy: Distribution) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:9", account="none")
    profiles = tuple(
        Profile(profile_id=f"{package_id}-{number}", name="Bench", phone=f"2010{number:08}", gateway=gateway)
        for number in range(PROFILES)
    )
    return Package(package_id=package_id, version=1, name="Bench", distribution=strategy, profiles=profiles)


def main(arguments: Sequence[str]) -> int:
    return run("router", _measure, arguments)
