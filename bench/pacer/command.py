"""Command: `python -m bench pacer` measures the pacer, compares the results with the aims, and stores them."""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from bench.child import MeasurementError
from bench.figures import Pair
from bench.pacer import report
from bench.pacer.database import Databases, databases
from bench.pacer.intake import Intake
from bench.pacer.lateness import Lateness
from bench.pacer.measurements import Measurements, SizeResult
from bench.pacer.peers.peer import Peer, celery_peer, measure, procrastinate_peer
from bench.pacer.process import engine_of
from bench.pacer.restart import restarts
from bench.pacer.throughput import Throughput
from bench.pacer.workload import WORKLOAD
from bench.progress import Progress
from bench.report import Machine

PARTS = ("releases", "lateness", "restart", "peers")
SMALL, LARGE = 10_000, 1_000_000
CHUNKS = 10
ROUNDS = 5
WARM, MEASURED_SHARE = 0.1, 0.8  # shares of a round's releases: those of the cold start, and those that are measured
RESTARTS = 3
LATENESS_SECONDS = 30.0
PEER_SECONDS = 10.0
PEER_POLLS_SECONDS = (5.0, 0.1)  # procrastinate's default, and a rate comparable to the pacer's
PEER_SIZES = (10_000, 100_000)
HELD = text("SELECT count(*) FROM pacer.delivery WHERE state = 'held'")


@dataclass(slots=True)
class Run:
    """The parts of a run. One database has few held deliveries, and one has many. `releases` measures the two in turn
    in each round."""

    servers: Databases
    progress: Progress
    found: Measurements
    _next: int = field(default=0, init=False)

    async def fill(self) -> tuple[str, str]:
        small = await self.servers.create_for_pacer("small")
        large, copied = await self.servers.create_for_pacer("large"), await self.servers.create_for_pacer("copied")
        await self._take(small, self.found.small)
        chunk = self.found.large // CHUNKS
        self._begin("intake")
        for number in range(CHUNKS):
            took = await self._take(large, chunk, copied)
            self.found.intake.append(Pair(chunk / took["taken"], chunk / took["copied"]))
            self.progress.say(f"intake, {chunk * (number + 1):,} held: {_pair(self.found.intake[-1], 'with COPY')}")
        await self.servers.drop("copied")
        for url in (small, large):
            await self.servers.vacuum(url)
        return small, large

    async def releases(self, small: str, large: str) -> None:
        """Each round releases one delivery per profile, and then adds as many new deliveries. So the queues keep their
        length."""
        self._begin("releases")
        profiles = WORKLOAD.profiles
        for number in range(ROUNDS):
            speeds, cpu = dict[str, float](), dict[str, float]()
            for name, url in (("small", small), ("large", large)):
                asked = Throughput(url, int(profiles * WARM), int(profiles * MEASURED_SHARE), profiles)
                answer = await asked.run()
                speeds[name], cpu[name] = answer["per_second"], answer["cpu_ms"]
                self.found.statements[name] = answer["statements"]
                await self._take(url, profiles)
            self.found.releases.append(Pair(speeds["large"], speeds["small"]))
            self.found.release_cpu_ms.append(Pair(cpu["large"], cpu["small"]))
            self.progress.say(
                f"releases, round {number + 1} of {ROUNDS}: {_pair(self.found.releases[-1], 'with few held')}; "
                f"CPU of one release {cpu['large']:.2f} ms, with few held {cpu['small']:.2f} ms"
            )

    async def lateness(self, url: str, held: int) -> None:
        self._begin(f"lateness {held}")
        seen = await Lateness(url, LATENESS_SECONDS).run()
        self.found.sizes.append(
            SizeResult(
                held,
                seen["published"],
                seen["committed"],
                seen["per_second"],
                seen["overdue"],
                seen["own_cpu_share"],
                seen["memory"],
                seen["memory_peak"],
                self.servers.mebibytes(),
            )
        )
        late = seen["published"]
        self.progress.say(
            f"lateness, {held:,} held: median {late['median']:.0f} ms, p99 {late['p99']:.0f} ms at "
            f"{seen['per_second']:.0f} a second, {seen['memory']:.0f} MiB"
        )

    async def restarts(self, url: str) -> None:
        self._begin("restart")
        async with restarts() as restart:
            for _ in range(RESTARTS):
                self.servers.restart()
                self.found.restart_seconds.append(await restart.run(url))
        self.progress.say(f"restart: {', '.join(f'{each:.1f} s' for each in self.found.restart_seconds)}")

    async def top_up(self, url: str, held: int) -> None:
        async with engine_of(url) as engine, engine.connect() as connection:
            already = (await connection.execute(HELD)).scalar_one()
        if already < held:
            await self._take(url, held - already)

    async def peers(self, sizes: Sequence[int]) -> None:
        peers: list[Peer] = [celery_peer(), *(procrastinate_peer(self.servers, each) for each in PEER_POLLS_SECONDS)]
        for held in sizes:
            for peer in peers:
                self._begin(f"{peer.name} {held}")
                try:
                    seen = await measure(peer, held, PEER_SECONDS)
                except MeasurementError as reason:  # the rest of the run goes on
                    self.found.missing.append(f"{peer.name}, {held:,} held: {reason}")
                    self.progress.say(self.found.missing[-1])
                else:
                    self.found.peers.append(seen)
                    self.progress.say(f"{peer.name}, {held:,} held: {report.summary(seen)}")

    async def _take(self, url: str, count: int, copy_url: str | None = None) -> dict[str, float]:
        first, self._next = self._next, self._next + count
        return await Intake(url, first, count, copy_url).run()

    def _begin(self, part: str) -> None:
        self.found.load[part] = round(os.getloadavg()[0], 2)


async def _measure(asked: argparse.Namespace, progress: Progress) -> Measurements:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found = Measurements(WORKLOAD.profiles, SMALL, asked.held)
    async with databases() as servers:
        run = Run(servers, progress, found)
        small, large = await run.fill()
        if "releases" in asked.only:
            await run.releases(small, large)
        if "lateness" in asked.only:
            await run.lateness(large, asked.held)
        if "restart" in asked.only:
            await run.restarts(large)
        await servers.drop("large")
        if "lateness" in asked.only:
            for held in PEER_SIZES:
                await run.top_up(small, held)
                await run.lateness(small, held)
        await servers.drop("small")
        if "peers" in asked.only:
            await run.peers([held for held in PEER_SIZES if held <= asked.held])
    return found


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench pacer")
    parser.add_argument("--name", help="name of the run in bench/results (default: pacer and the machine's name)")
    parser.add_argument("--held", type=int, default=LARGE, help="the large number held (default: a million)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="only these after the intake")
    asked = parser.parse_args(arguments)
    machine, progress = Machine.this(), Progress()
    try:
        found = asyncio.run(_measure(asked, progress))
    except MeasurementError as reason:
        progress.say(f"given up: {reason}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress.say("stopped")
        return 130
    kept = report.write(asked.name or f"pacer-{machine.name}", machine, time.monotonic() - progress.began, found)
    print("\n".join(report.against_the_aims(found)))
    progress.say(f"stored in {' and '.join(str(file) for file in kept)}")
    return 0


def _pair(pair: Pair, beside: str) -> str:
    return f"{pair.ours:,.0f} a second, {beside} {pair.bare:,.0f} a second, ratio {pair.ratio:.2f}"
