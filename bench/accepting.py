"""Accepting: how many requests, and recipients, the ingress takes in a second, beside the bare limits."""

from dataclasses import dataclass, field
from typing import NamedTuple

from bench import child
from bench.bare_producer import BareProducer
from bench.figures import Figure, Pair
from bench.load import Load
from bench.log import Log
from bench.progress import Progress
from bench.system import KEY, System
from local.process.ports import free_port
from spreader.contract.events import RECIPIENTS_PER_RECORD_MAX, OpenMessageRequested

ROUNDS = 3
SECONDS_MAX = 15.0
SETTLE_SECONDS = 20.0

SINGLES = 2_000
SINGLE_CONNECTIONS = 32
SINGLE_WARM = 200

LARGE_RECIPIENTS = 1_000
LARGE_REQUESTS = 60
LARGE_CONNECTIONS = 8
LARGE_WARM = 4
BARE_REQUESTS = 2_000


class Speed(NamedTuple):
    """Requests a second: until all were answered, and until Kafka had the records of all."""

    accepted: float
    published: float


@dataclass(slots=True)
class Accepting:
    system: System
    log: Log
    progress: Progress
    _first: int = field(default=10_000_000, init=False)

    async def singles(self) -> list[Figure]:
        """Requests with one recipient against a bare FastAPI route."""
        port, rounds, notes = free_port(), list[Pair](), list[str]()
        await self._ours(SINGLE_CONNECTIONS, SINGLE_WARM, 1)
        async with child.serving("bench.bare_route", self.log.kafka, str(port)):
            await self._bare_route(port, SINGLE_WARM)
            for number in range(ROUNDS):
                rest = await self._quiet()
                ours = (await self._ours(SINGLE_CONNECTIONS, SINGLES, 1)).accepted
                rest += await self._quiet()
                rounds.append(Pair(ours, await self._bare_route(port, SINGLES)))
                notes += self._say("requests with 1 recipient", number, rounds[-1], rest)
        beside, note = "bare FastAPI route that produces", "; ".join(notes)
        return [Figure("requests with 1 recipient", beside, "requests/s", "more", tuple(rounds), note)]

    async def large(self) -> list[Figure]:
        """Requests with 1,000 recipients against bare aiokafka."""
        accepted, published, notes = list[Pair](), list[Pair](), list[str]()
        await self._ours(LARGE_CONNECTIONS, LARGE_WARM, LARGE_RECIPIENTS)
        for number in range(ROUNDS):
            rest = await self._quiet()
            ours = await self._ours(LARGE_CONNECTIONS, LARGE_REQUESTS, LARGE_RECIPIENTS)
            rest += await self._quiet()
            bare = await BareProducer(self.log.kafka, BARE_REQUESTS, LARGE_RECIPIENTS, SECONDS_MAX).run()
            accepted.append(Pair(ours.accepted * LARGE_RECIPIENTS, bare))
            published.append(Pair(ours.published * LARGE_RECIPIENTS, bare))
            notes += self._say("recipients, 1,000 a request", number, accepted[-1], rest)
        beside, unit, note = "bare aiokafka, the same records", "recipients/s", "; ".join(notes)
        return [
            Figure("recipients accepted, 1,000 a request", beside, unit, "more", tuple(accepted), note),
            Figure("… until Kafka has them all", beside, unit, "more", tuple(published), note),
        ]

    async def _ours(self, connections: int, requests: int, recipients: int) -> Speed:
        topic, records = OpenMessageRequested.topic, max(1, recipients // RECIPIENTS_PER_RECORD_MAX)
        before = await self.log.records(topic)
        first, self._first = self._first, self._first + requests * recipients
        port = self.system.ports["ingress"]
        done = await Load(port, KEY, connections, requests, recipients, first, SECONDS_MAX).run()
        published = await self.log.wait_for(topic, before + done.requests * records, SETTLE_SECONDS)
        if published is None:
            raise child.Failed(f"{done.requests} requests were accepted, but Kafka did not get all of their records")
        return Speed(done.requests / done.seconds, done.requests / (published - done.began))

    async def _bare_route(self, port: int, requests: int) -> float:
        done = await Load(port, KEY, SINGLE_CONNECTIONS, requests, 1, 0, SECONDS_MAX).run()
        return done.requests / done.seconds

    async def _quiet(self) -> int:
        return await self.log.settle(SETTLE_SECONDS)

    def _say(self, what: str, number: int, pair: Pair, unread: int) -> list[str]:
        """Answers what a reader of the figure must know about the round."""
        notes = [f"not quiet in round {number + 1}: {unread} records were still unread"] if unread else []
        speeds = f"ours {pair.ours:,.0f}/s, bare {pair.bare:,.0f}/s"
        self.progress.say("; ".join([f"{what}, round {number + 1} of {ROUNDS}: {speeds}", *notes]))
        return notes
