"""Command: `python -m bench turns COMMIT` measures replies, open messages and idling, before and after, in turns."""

import argparse
import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.command import measure_and_keep
from bench.figures import Figure, Pair, p99
from bench.progress import Progress
from bench.system import THIS_TREE, BenchSystem, Tree, run_system
from bench.turns.checkout import checkout
from bench.turns.processes import processor_seconds
from bench.turns.request_load import RequestLoad

ROUNDS = 3
RATES = (25, 50, 100)
LOAD_SECONDS = 20.0
IDLE_SECONDS = 20.0
SETTLE_SECONDS = 10.0
OPEN_PER_SECOND = 50.0
WARM_SECONDS = 10.0
WARM_PER_SECOND = 25.0
FIRST_REPLIES = 30


@dataclass(slots=True)
class Round:
    """One system from its start to its end; `measured` has a value for each line of the table."""

    system: BenchSystem
    measured: dict[str, float] = field(default_factory=dict[str, float])
    _first: int = 0

    async def run(self) -> Mapping[str, float]:
        await self.system.create_package()
        await self._first_replies()
        await self._load("reply", WARM_PER_SECOND, WARM_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        self.measured["idle"] = await self._processor_ms(IDLE_SECONDS) / IDLE_SECONDS
        for rate in RATES:
            await self._rate("reply", rate)
        await self._rate("open", OPEN_PER_SECOND)
        return self.measured

    async def _first_replies(self) -> None:
        """One after the other; the first one is compared with the median of the others."""
        taken = [(await self._load("reply", 1, 0.5))[0] for _ in range(FIRST_REPLIES)]
        self.measured["first reply after a start"] = taken[0] / statistics.median(taken[1:])

    async def _rate(self, lane: str, rate: float) -> None:
        what = f"{'replies' if lane == 'reply' else 'open messages'} at {rate:g} a second"
        before = processor_seconds(self.system.pid)
        taken = await self._load(lane, rate, LOAD_SECONDS)
        spent = processor_seconds(self.system.pid) - before
        self.measured[f"{what}, CPU of one"] = spent * 1e3 / len(taken)
        self.measured[f"{what}, median"] = statistics.median(taken)
        self.measured[f"{what}, p99"] = p99(taken)
        await asyncio.sleep(SETTLE_SECONDS)

    async def _processor_ms(self, seconds: float) -> float:
        before = processor_seconds(self.system.pid)
        await asyncio.sleep(seconds)
        return (processor_seconds(self.system.pid) - before) * 1e3

    async def _load(self, lane: str, rate: float, seconds: float) -> list[float]:
        load = RequestLoad(
            self.system.ports["ingress"], "reply" if lane == "reply" else "open", rate, seconds, self._first
        )
        self._first += load.count
        return await load.run()


async def measure(commit: str, rounds: int, progress: Progress) -> list[Figure]:
    progress.say(f"checking out {commit} ...")
    results = list[tuple[Mapping[str, float], Mapping[str, float]]]()
    async with checkout(commit) as before:
        for number in range(rounds):
            order = [("before", before), ("after", THIS_TREE)]
            if number % 2:
                order.reverse()
            of = {name: await _round(tree, f"round {number + 1} of {rounds}, {name}", progress) for name, tree in order}
            results.append((of["after"], of["before"]))
    return [
        Figure(
            what, f"commit {commit}", _unit(what), "less", tuple(Pair(after[what], old[what]) for after, old in results)
        )
        for what in results[0][0]
    ]


async def _round(tree: Tree, what: str, progress: Progress) -> Mapping[str, float]:
    progress.say(f"{what}: starting ...")
    async with run_system(tree) as system:
        measured = await Round(system).run()
    progress.say(f"{what}: " + "; ".join(f"{name} {value:.1f}" for name, value in measured.items()))
    return measured


def _unit(what: str) -> str:
    if what == "idle":
        return "ms CPU/s"
    return "times the median" if what.startswith("first") else "ms"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench turns", description="Measure beside another commit, in turns."
    )
    parser.add_argument("commit", help="the commit to measure beside, for example HEAD~1")
    parser.add_argument("--name", default="turns", help="name of the files in bench/results")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    return measure_and_keep(options.name, lambda progress: measure(options.commit, options.rounds, progress))
