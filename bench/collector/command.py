"""Command: `python -m bench collector` compares thresholds of Python's garbage collector in running services."""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.child import MeasurementError
from bench.pacer.database import tree_mebibytes
from bench.progress import Progress
from bench.report import RESULTS, Machine, rows_of_text
from bench.system import BenchSystem, run_system
from bench.turns.request_load import RequestLoad
from local.services import CATALOGUE
from spreader.runtime.collector import THRESHOLDS

WATCH = Path(__file__).parent / "watch"
SECONDS, PER_SECOND = 120.0, 50.0
OLDEST = 2


class Collection(NamedTuple):
    at: float
    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Choice:
    thresholds: tuple[int, int, int] | None
    """None: the collector is off."""
    freeze: bool

    @property
    def text(self) -> str:
        return "off" if self.thresholds is None else " / ".join(f"{value:,}" for value in self.thresholds)

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {
            "PYTHONPATH": str(WATCH),
            "BENCH_GC_FOLDER": str(folder),
            "BENCH_GC_THRESHOLDS": ",".join(map(str, self.thresholds or ())),
            "BENCH_GC_FREEZE": str(int(self.freeze)),
        }


CHOICES = (
    Choice((700, 10, 10), False),
    Choice((700, 10, 10), True),
    Choice((10_000, 10, 10), True),
    Choice(THRESHOLDS, True),
    Choice((50_000, 20, 100), True),
    Choice(None, True),
)
"""The first choice is Python's default."""
CHOSEN = (Choice(THRESHOLDS, True),)
HEADINGS = (
    "thresholds", "start frozen", "longest (ms)", "in", "of the oldest", "time in all", "memory before (MiB)",
    "memory after (MiB)",
)  # fmt: skip


async def measure(
    choices: Sequence[Choice], seconds: float, per_second: float, progress: Progress
) -> list[dict[str, Any]]:
    results = list[dict[str, Any]]()
    for choice in choices:
        with tempfile.TemporaryDirectory(prefix="spreader-collector-") as name:
            folder = Path(name)
            async with run_system(settings=choice.settings(folder)) as system:
                await system.create_package()
                result = await _measured(system, folder, seconds, per_second)
        results.append({"thresholds": choice.thresholds, "freeze": choice.freeze, **result})
        progress.say(f"{choice.text}: {result}")
    return results


async def _measured(system: BenchSystem, folder: Path, seconds: float, per_second: float) -> dict[str, Any]:
    """The collections in all services under load. Also the private memory of each service before and after the load."""
    before = _mebibytes(system)
    times = await RequestLoad(system.ports["ingress"], "reply", per_second, round(seconds * per_second), 0).run()
    until = times.began + seconds
    collections = {
        service.name: [each for each in _collections(folder, service.name) if times.began <= each.at <= until]
        for service in CATALOGUE
    }
    longest = {name: max((each.seconds for each in found), default=0.0) for name, found in collections.items()}
    worst = max(longest, key=lambda name: longest[name])
    every = [each for found in collections.values() for each in found]
    after = _mebibytes(system)
    return {
        "longest_ms": longest[worst] * 1e3,
        "in": worst,
        "of_oldest": sum(each.generation == OLDEST for each in every),
        "share": sum(each.seconds for each in every) / seconds,
        "mebibytes_before": before,
        "mebibytes": after,
    }


def _mebibytes(system: BenchSystem) -> dict[str, float]:
    pids = system.pids()
    return {service.name: round(tree_mebibytes(pids[service.name]), 1) for service in CATALOGUE}


def _collections(folder: Path, service: str) -> Iterator[Collection]:
    for file in folder.glob(f"{service}-*"):
        for line in file.read_text().splitlines():
            at, generation, seconds = line.split()
            yield Collection(float(at), int(generation), float(seconds))


def _table(results: Sequence[dict[str, Any]]) -> list[str]:
    rows = [
        (
            Choice(each["thresholds"], each["freeze"]).text,
            "yes" if each["freeze"] else "no",
            f"{each['longest_ms']:.1f}",
            each["in"],
            str(each["of_oldest"]),
            f"{each['share']:.2%} of a core",
            f"{sum(each['mebibytes_before'].values()):.0f}",
            f"{sum(each['mebibytes'].values()):.0f}",
        )
        for each in results
    ]
    return rows_of_text([HEADINGS, *rows])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench collector")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of the load of each measurement")
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="replies a second")
    parser.add_argument("--chosen", action="store_true", help="measure only the thresholds that the services use")
    parser.add_argument("--name", default="collector", help="name of the files in bench/results")
    options = parser.parse_args(arguments)
    machine, progress = Machine.this(), Progress()
    try:
        results = asyncio.run(
            measure(CHOSEN if options.chosen else CHOICES, options.seconds, options.per_second, progress)
        )
    except MeasurementError as reason:
        progress.say(f"given up: {reason}")
        return 1
    content = {
        "machine": asdict(machine),
        "seconds": round(time.monotonic() - progress.began, 1),
        "load": {"replies_per_second": options.per_second, "seconds": options.seconds},
        "chosen": THRESHOLDS,
        "results": results,
    }
    (RESULTS / f"{options.name}.json").write_text(json.dumps(content, indent=2) + "\n")
    lines = [
        "# Bench collector",
        "",
        machine.line,
        "",
        f"{options.per_second:g} replies a second for {options.seconds:g} s, from the start on. Chosen: "
        f"{' / '.join(f'{value:,}' for value in THRESHOLDS)}, start frozen.",
        "",
        *_table(results),
        "",
        "How to read it: README.md.",
    ]
    (RESULTS / f"{options.name}.md").write_text("\n".join(lines) + "\n")
    print("\n".join(_table(results)))
    return 0
