"""Command: `python -m bench profile` measures a reply hop by hop, and draws where each service spends its time."""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.child import TREE, MeasurementError
from bench.profile.flames import ENDINGS, Form, draw
from bench.profile.hops import Hop, HopLoad
from bench.progress import Progress
from bench.report import RESULTS, Machine, rows_of_text
from bench.system import BenchSystem, run_system
from bench.turns.request_load import RequestLoad
from local.services import CATALOGUE

PER_SECOND = 50.0
SECONDS = 30.0
WARM_SECONDS = 15.0
FOLDER = TREE / ".profile"
RESULT = RESULTS / "reply-hops.json"


@dataclass(frozen=True, slots=True)
class Profile:
    folder: Path
    per_second: float
    seconds: float
    form: Form

    async def run(self, progress: Progress) -> tuple[list[Hop], Mapping[str, float]]:
        progress.say("starting a system ...")
        async with run_system() as system:
            await system.create_package()
            await self._load(system, 0, WARM_SECONDS)
            progress.say(f"measuring the hops of {self.per_second:g} replies a second for {self.seconds:g} s ...")
            first = round(WARM_SECONDS * self.per_second)
            hops, spent = await HopLoad(system, self.per_second, self.seconds, first).run()
            progress.say(f"drawing for {self.seconds:g} s under the same load ...")
            services = {service.name for service in CATALOGUE}
            pids = {name: pid for name, pid in system.pids().items() if name in services}
            loading = asyncio.create_task(self._load(system, 1_000_000, self.seconds + WARM_SECONDS))
            files = await draw(pids, self.folder, self.seconds, self.form)
            await loading
            progress.say(f"written to {', '.join(str(file) for file in files)}")
        return hops, spent

    async def _load(self, system: BenchSystem, first: int, seconds: float) -> None:
        count = round(self.per_second * seconds)
        await RequestLoad(system.ports["ingress"], "reply", self.per_second, count, first).run()


def keep(machine: Machine, profile: Profile, hops: Sequence[Hop], spent: Mapping[str, float], seconds: float) -> None:
    content = {
        "machine": asdict(machine),
        "seconds": round(seconds, 1),
        "replies": {"per_second": profile.per_second, "seconds": profile.seconds},
        "unit": "ms",
        "hops": [hop._asdict() for hop in hops],
        "processor_of_one_reply": {name: round(value, 2) for name, value in sorted(spent.items())},
    }
    RESULT.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench profile")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the drawings go (default: .profile)")
    parser.add_argument("--per-second", type=float, default=PER_SECOND, help="replies a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each of the two measurements")
    parser.add_argument("--format", choices=list(ENDINGS), default="flamegraph")
    parser.add_argument("--keep", action="store_true", help="also write the hops to bench/results/reply-hops.json")
    options = parser.parse_args(arguments)
    machine, progress = Machine.this(), Progress()
    profile = Profile(options.folder, options.per_second, options.seconds, options.format)
    try:
        hops, spent = asyncio.run(profile.run(progress))
    except MeasurementError as reason:
        progress.say(f"given up: {reason}")
        return 1
    rows = [(hop.service, hop.what, f"{hop.median:.1f}", f"{hop.p99:.1f}") for hop in hops]
    print("\n".join(rows_of_text([("service", "step", "median (ms)", "p99 (ms)"), *rows])))
    processes = [(name, f"{value:.1f}") for name, value in sorted(spent.items(), key=lambda item: -item[1])]
    print("\n".join(rows_of_text([("process", "processor time of one reply (ms)"), *processes])))
    if options.keep:
        keep(machine, profile, hops, spent, time.monotonic() - progress.began)
    return 0
