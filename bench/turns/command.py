"""Command: `python -m bench turns COMMIT` measures another commit and this checkout by turns: with replies, with open
messages, and while the systems are idle."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import MeasurementError
from bench.command import measure_and_keep
from bench.figures import Figure, Pair
from bench.progress import Progress
from bench.system import THIS_TREE, Tree, run_system
from bench.turns.checkout import checkout
from bench.turns.loop_stops import watch_settings
from bench.turns.round import Lengths, Round

ROUNDS = 3
LONG_ROUNDS = 1

Measured = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Turns:
    commit: str
    rounds: int
    long_rounds: int
    """How many rounds end with the long load. These are the last rounds."""
    lengths: Lengths

    async def measure(self, progress: Progress) -> list[Figure]:
        progress.say(f"checking out {self.commit} ...")
        results = list[tuple[Measured, Measured]]()
        async with checkout(self.commit) as before:
            for number in range(self.rounds):
                order = [("before", before), ("after", THIS_TREE)]
                if number % 2:
                    order.reverse()
                try:
                    of = {name: await self._round(tree, number, name, progress) for name, tree in order}
                except MeasurementError as reason:
                    if not results:
                        raise
                    progress.say(f"round {number + 1} failed, and only the rounds before it are kept: {reason}")
                    break
                results.append((of["after"], of["before"]))
        whats = dict.fromkeys(what for after, _ in results for what in after)
        return [self._figure(what, results) for what in whats]

    async def _round(self, tree: Tree, number: int, name: str, progress: Progress) -> Measured:
        what = f"round {number + 1} of {self.rounds}, {name}"
        progress.say(f"{what}: starting ...")
        with tempfile.TemporaryDirectory(prefix="spreader-turns-") as folder:
            stops = Path(folder) / "stops"
            async with run_system(tree, watch_settings(stops)) as system:
                long = self.lengths.long > 0 and number >= self.rounds - self.long_rounds
                measured = await Round(system, stops, self.lengths).run(long=long)
        progress.say(f"{what}: " + "; ".join(f"{name} {value:.1f}" for name, value in measured.items()))
        return measured

    def _figure(self, what: str, results: Sequence[tuple[Measured, Measured]]) -> Figure:
        pairs = tuple(Pair(after[what], before[what]) for after, before in results if what in after)
        return Figure(what, f"commit {self.commit}", _unit(what), "less", pairs)


def _unit(what: str) -> str:
    if what == "idle":
        return "ms CPU/s"
    if what.startswith("memory"):
        return "MiB"
    return "times" if what.endswith("times the median") else "ms"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench turns", description="Measure beside another commit, in turns."
    )
    parser.add_argument("commit", help="the commit to measure beside, for example HEAD~1")
    parser.add_argument("--name", default="replies-quick", help="name of the files in bench/results")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--load-seconds", type=float, default=Lengths.load, help="length of each load")
    parser.add_argument("--long-seconds", type=float, default=Lengths.long, help="length of the long load; 0: none")
    parser.add_argument("--long-rounds", type=int, default=LONG_ROUNDS, help="how many rounds have the long load")
    options = parser.parse_args(arguments)
    lengths = Lengths.of(options.load_seconds, options.long_seconds)
    turns = Turns(options.commit, options.rounds, options.long_rounds, lengths)
    return measure_and_keep(options.name, turns.measure)
