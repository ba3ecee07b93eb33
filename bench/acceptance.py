"""Acceptance: how many requests and recipients the ingress accepts per second, beside what bare programs reach."""

from dataclasses import dataclass, field
from typing import NamedTuple

from bench import child
from bench.bare_producer import BareProducer
from bench.figures import Figure, Pair
from bench.load import Load
from bench.progress import Progress
from bench.system import KEY, BenchSystem
from bench.topics import Topics
from local.process.ports import free_port
from spreader.contract.events import RECIPIENTS_PER_RECORD_MAX, OpenMessageRequested

ROUNDS = 3
SECONDS_MAX = 15.0
IDLE_SECONDS_MAX = 20.0

SINGLES = 2_000
SINGLE_CONNECTIONS = 32
SINGLE_WARM = 200

LARGE_RECIPIENTS = 1_000
LARGE_REQUESTS = 60
LARGE_CONNECTIONS = 8
LARGE_WARM = 4
BARE_REQUESTS = 2_000


class RequestRates(NamedTuple):
    """Requests per second. `accepted` is measured until all responses have arrived, and `published` until Kafka has all
    records."""

    accepted: float
    published: float


@dataclass(slots=True)
class AcceptanceBench:
    system: BenchSystem
    topics: Topics
    progress: Progress
    _first: int = field(default=10_000_000, init=False)

    async def singles(self) -> list[Figure]:
        """Requests with one recipient, beside a bare FastAPI route."""
        port, rounds, notes = free_port(), list[Pair](), list[str]()
        await self._ours(SINGLE_CONNECTIONS, SINGLE_WARM, 1)
        async with child.serving("bench.bare_route", self.topics.kafka, str(port)):
            await self._bare_route(port, SINGLE_WARM)
            for number in range(ROUNDS):
                unread = await self._wait_until_idle()
                ours = (await self._ours(SINGLE_CONNECTIONS, SINGLES, 1)).accepted
                unread += await self._wait_until_idle()
                rounds.append(Pair(ours, await self._bare_route(port, SINGLES)))
                notes += self._report("requests with 1 recipient", number, rounds[-1], unread)
        beside, note = "bare FastAPI route that produces", "; ".join(notes)
        return [Figure("requests with 1 recipient", beside, "requests/s", "more", tuple(rounds), note)]

    async def large(self) -> list[Figure]:
        """Requests with 1,000 recipients, beside bare aiokafka."""
        accepted, published, notes = list[Pair](), list[Pair](), list[str]()
        await self._ours(LARGE_CONNECTIONS, LARGE_WARM, LARGE_RECIPIENTS)
        for number in range(ROUNDS):
            unread = await self._wait_until_idle()
            ours = await self._ours(LARGE_CONNECTIONS, LARGE_REQUESTS, LARGE_RECIPIENTS)
            unread += await self._wait_until_idle()
            bare = await BareProducer(self.topics.kafka, BARE_REQUESTS, LARGE_RECIPIENTS, SECONDS_MAX).run()
            accepted.append(Pair(ours.accepted * LARGE_RECIPIENTS, bare))
            published.append(Pair(ours.published * LARGE_RECIPIENTS, bare))
            notes += self._report("recipients, 1,000 a request", number, accepted[-1], unread)
        beside, unit, note = "bare aiokafka, the same records", "recipients/s", "; ".join(notes)
        return [
            Figure("recipients accepted, 1,000 a request", beside, unit, "more", tuple(accepted), note),
            Figure("… until Kafka has them all", beside, unit, "more", tuple(published), note),
        ]

    async def _ours(self, connections: int, requests: int, recipients: int) -> RequestRates:
        topic, records = OpenMessageRequested.topic, max(1, recipients // RECIPIENTS_PER_RECORD_MAX)
        before = await self.topics.record_count(topic)
        first, self._first = self._first, self._first + requests * recipients
        port = self.system.ports["ingress"]
        result = await Load(port, KEY, connections, requests, recipients, first, SECONDS_MAX).run()
        published = await self.topics.wait_for(topic, before + result.requests * records, IDLE_SECONDS_MAX)
        if published is None:
            raise child.MeasurementError(
                f"{result.requests} requests were accepted, but Kafka did not get all of their records"
            )
        return RequestRates(result.requests / result.seconds, result.requests / (published - result.began))

    async def _bare_route(self, port: int, requests: int) -> float:
        result = await Load(port, KEY, SINGLE_CONNECTIONS, requests, 1, 0, SECONDS_MAX).run()
        return result.requests / result.seconds

    async def _wait_until_idle(self) -> int:
        return await self.topics.wait_until_idle(IDLE_SECONDS_MAX)

    def _report(self, what: str, number: int, pair: Pair, unread: int) -> list[str]:
        """Print the round. If the system was not idle, return a note for the reader of the figure."""
        notes = [f"not quiet in round {number + 1}: {unread} records were still unread"] if unread else []
        speeds = f"ours {pair.ours:,.0f}/s, bare {pair.bare:,.0f}/s"
        self.progress.say("; ".join([f"{what}, round {number + 1} of {ROUNDS}: {speeds}", *notes]))
        return notes
