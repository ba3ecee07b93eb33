"""Round: one system from its start to its end, and what is measured of it."""

import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import p99
from bench.pacer.database import tree_mebibytes
from bench.system import BenchSystem
from bench.turns import loop_stops
from bench.turns.processes import processors_used, sampled
from bench.turns.request_load import Lane, RequestLoad, RequestTimes
from local.services import CATALOGUE

REPLIES_PER_SECOND = (25, 50, 100)
OPEN_PER_SECOND = 50
LONG_PER_SECOND = 50
WARM_PER_SECOND = 25
FIRST_REPLIES = 30
PACKAGE_READ_SECONDS = 10.0
"""Enough time for all services to read a new package, so that the first reply is not measured beside this work."""


@dataclass(frozen=True)
class Lengths:
    """The lengths of the parts of a round, in seconds. The processor time of a load is measured without its first
    `lead` seconds, because receipts arrive some seconds after their messages. Response times are measured for the
    whole load."""

    load: float = 30.0
    lead: float = 8.0
    settle: float = 10.0
    idle: float = 30.0
    long: float = 660.0
    """The long load. It also shows rare stops of the event loops, and the memory of the processes. 0: no long load."""
    long_lead: float = 60.0
    """In this time at the beginning of the long load, stops are not counted."""

    @classmethod
    def of(cls, load: float, long: float) -> "Lengths":
        """The lengths for a load of `load` seconds and a long load of `long` seconds. If `load` is shorter than the
        default, the other parts are shorter too. Such a round only shows that everything can be measured."""
        share = min(load / cls.load, 1.0)
        return cls(load, cls.lead * share, cls.settle * share, cls.idle * share, long, min(cls.long_lead, long / 10))


@dataclass(slots=True)
class Round:
    """`measured` has a value for each line of the table of results."""

    system: BenchSystem
    stops: Path
    lengths: Lengths
    measured: dict[str, float] = field(default_factory=dict[str, float])
    _first: int = 0

    async def run(self, *, long: bool) -> Mapping[str, float]:
        await self.system.create_package()
        await asyncio.sleep(PACKAGE_READ_SECONDS)
        await self._first_replies()
        await asyncio.sleep(self.lengths.settle)
        await self._idle()  # before any load, because the receipts of a load arrive for more than a minute
        await self._load("reply", WARM_PER_SECOND, self.lengths.load)
        await asyncio.sleep(self.lengths.settle)
        for rate in REPLIES_PER_SECOND:
            await self._rate("reply", rate)
        await self._rate("open", OPEN_PER_SECOND)
        if long:
            await self._long()
        return self.measured

    async def _first_replies(self) -> None:
        """Sends replies one after the other, and compares the time of the first one with the median of the others."""
        load = RequestLoad(self.system.ports["ingress"], "reply", None, FIRST_REPLIES, self._first)
        self._first += load.count
        first, *others = (await load.run()).milliseconds
        self.measured["first reply after a start"] = first
        self.measured["median of the next replies"] = statistics.median(others)
        self.measured["first reply, times the median"] = first / statistics.median(others)

    async def _idle(self) -> None:
        async with sampled(self.system.pid) as samples:
            began = time.monotonic()
            await asyncio.sleep(self.lengths.idle)
        self.measured["idle"] = processors_used(samples, began, time.monotonic()) * 1e3

    async def _rate(self, lane: Lane, rate: int) -> None:
        what = f"{'replies' if lane == 'reply' else 'open messages'} at {rate:g} a second"
        async with sampled(self.system.pid) as samples:
            times = await self._load(lane, rate, self.lengths.load)
        ended = times.began + self.lengths.load
        used = processors_used(samples, times.began + self.lengths.lead, ended)
        self.measured[f"{what}, CPU of one"] = used * 1e3 / rate
        self._times(what, times.milliseconds)
        await asyncio.sleep(self.lengths.settle)

    async def _long(self) -> None:
        times = await self._load("reply", LONG_PER_SECOND, self.lengths.long)
        what = f"replies at {LONG_PER_SECOND} a second for {self.lengths.long / 60:g} min"
        self._times(what, times.milliseconds)
        pids = self.system.pids()
        for service in sorted(service.name for service in CATALOGUE):
            since, until = times.began + self.lengths.long_lead, times.began + self.lengths.long
            stop = loop_stops.longest(self.stops, service, since, until)
            self.measured[f"{what}, longest stop of {service}"] = stop.seconds * 1e3
            self.measured[f"{what}, longest own work of {service}"] = stop.worked_seconds * 1e3
        for name in sorted(pids):
            self.measured[f"memory of {name} after that"] = tree_mebibytes(pids[name])

    def _times(self, what: str, taken: list[float]) -> None:
        self.measured[f"{what}, median"] = statistics.median(taken)
        self.measured[f"{what}, p99"] = p99(taken)

    async def _load(self, lane: Lane, rate: float, seconds: float) -> RequestTimes:
        load = RequestLoad(self.system.ports["ingress"], lane, rate, round(rate * seconds), self._first)
        self._first += load.count
        return await load.run()
