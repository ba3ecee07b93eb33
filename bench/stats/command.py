"""Command: `python -m bench stats` measures one stats process and writes the results."""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.child import MeasurementError
from bench.figures import Pair, p99
from bench.progress import Progress
from bench.report import RESULTS, Machine, rows_of_text
from bench.servers import Servers, ServiceProcess, servers
from bench.stats.generated_outcomes import DOUBLED_SHARE, GeneratedOutcomes, configuration, differences
from bench.topics import PARTITIONS
from spreader.clock import wall_now
from spreader.contract.events import DeliveryOutcome
from spreader.kafka.envelope import Envelope, decode, read_headers

PARTS = ("exact", "fold", "history")
OUTCOMES = 50_000
LIVES_MAX = 40
LIFE_SECONDS = (1.0, 8.0)
ROUNDS, FOLDED = 3, 20_000
READ_SECONDS_MAX = 240.0
POLL_SECONDS = 0.1
PROFILES, PACKAGES, QUERIES = 10_000, 50, 21
HISTORY_MS_MAX = 200.0
SETTINGS = {"SPREADER_API_KEY": "bench", "SPREADER_INSTANCE": "bench-stats", "SPREADER_LOG_LEVEL": "WARNING"}
HEADERS = {"Authorization": "Bearer bench"}

A_DAY = """
INSERT INTO stats.{table} ({who}, at, lane, {package} sent, acknowledged, delivered, read, failed, received, answered,
                           new_contacts, unanswered, arrived, night)
SELECT {name}, hour, lane, {of} 5 * {times}, 5 * {times}, 5 * {times}, 3 * {times}, 0, 1, 1, 2, 1, 5, 0
FROM generate_series(1, $1::int) AS number,
     generate_series($2::timestamptz, $2 + interval '23 hours', '1 hour') AS hour,
     (VALUES ('open'), ('reply')) AS lanes (lane)
"""


@dataclass(slots=True)
class StatsMeasurement:
    """The results of a run, as they are written to the JSON file."""

    outcomes: int = 0
    records: int = 0
    lives: int = 0
    differences: list[str] = field(default_factory=list[str])
    compared: int = 0
    folded: list[Pair] = field(default_factory=list[Pair])
    mebibytes: float = 0.0
    history_ms: dict[str, list[float]] = field(default_factory=dict[str, list[float]])


@dataclass(slots=True)
class StatsBench:
    servers: Servers
    progress: Progress
    found: StatsMeasurement
    _next: int = 0
    _written: int = 0

    async def exact(self) -> None:
        """Kill stats with SIGKILL again and again until it has read everything. Then compare every window of its counts
        with a recount."""
        chance = random.Random(7)
        outcomes = self._generate(OUTCOMES, chance, hours=20)
        records = outcomes.records(chance, DOUBLED_SHARE)
        await self._write([*configuration(), *records], len(records))
        self.found.outcomes, self.found.records = sum(map(len, outcomes.histories)), len(records)
        while await self._read_so_far() < self._written:
            self.found.lives += 1
            if self.found.lives > LIVES_MAX:
                raise MeasurementError(f"stats had not read everything after {LIVES_MAX} lives")
            async with self.servers.run_service("stats", None, **SETTINGS) as process:
                await asyncio.sleep(chance.uniform(*LIFE_SECONDS))
                os.kill(process.pid, signal.SIGKILL)
            self.progress.say(f"life {self.found.lives}: {await self._read_so_far():,} of {self._written:,} read")
        async with self.servers.run_service("stats", None, **SETTINGS) as process:
            live = await _get(process, "/live")
            states = [state for state in live["data"] if state["package_id"].startswith("package-")]
            self.found.differences = differences(outcomes.recount(), datetime.fromisoformat(live["at"]), states)
            self.found.compared = len(states)
        self.progress.say(f"{len(states)} profiles compared: {len(self.found.differences)} windows differ")

    async def fold(self, process: ServiceProcess) -> None:
        chance = random.Random(8)
        for number in range(ROUNDS):
            records = self._generate(FOLDED, chance, hours=0.1).records(chance, 0)
            # The records are written while stats is stopped, so that only reading them is measured.
            os.kill(process.pid, signal.SIGSTOP)
            before = await self._ends()
            await self._write(records, len(records))
            began = time.monotonic()
            os.kill(process.pid, signal.SIGCONT)
            await self._wait_until_read()
            ours = len(records) / (time.monotonic() - began)
            self.found.folded.append(Pair(ours, await self._decoded(before, len(records))))
            pair = self.found.folded[-1]
            self.progress.say(f"fold, round {number + 1} of {ROUNDS}: {pair.ours:,.0f} a second, bare {pair.bare:,.0f}")
        self.found.mebibytes = process.mebibytes()

    async def history(self, process: ServiceProcess) -> None:
        day = wall_now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
        await self._fill(day)
        span = {"from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()}
        queries = {
            f"a day by the hour, {PROFILES:,} profiles": {"by": "hour", **span},
            "a day by the hour, one package of 200": {"by": "hour", "package_id": "bench-1", **span},
            "a day by the hour, one profile": {"by": "hour", "profile_id": "bench-profile-1", **span},
            f"a day, a row for each of {PROFILES:,} profiles": {"by": "day", "each": "profile", **span},
        }
        for what, query in queries.items():
            taken: list[float] = []
            for _ in range(QUERIES):
                began = time.perf_counter()
                answer = await _get(process, "/history", query)
                taken.append((time.perf_counter() - began) * 1e3)
                if not answer["data"]:
                    raise MeasurementError(f"{what}: the response is empty")
            self.found.history_ms[what] = taken[1:]
            self.progress.say(f"{what}: median {statistics.median(taken[1:]):.0f} ms")

    async def _fill(self, day: datetime) -> None:
        profile, package = "'bench-profile-' || number", "'bench-' || number % 50"
        whole = A_DAY.format(
            table="hour", who="profile_id", package="package_id,", name=profile, of=f"{package},", times=1
        )
        rolled = A_DAY.format(table="package_hour", who="package_id", package="", name=package, of="", times=200)
        await self.servers.database.execute(whole, PROFILES, day)
        await self.servers.database.execute(rolled, PACKAGES, day)
        await self.servers.database.execute("VACUUM ANALYZE stats.hour")
        await self.servers.database.execute("VACUUM ANALYZE stats.package_hour")

    def _generate(self, count: int, chance: random.Random, hours: float) -> GeneratedOutcomes:
        now = wall_now() - timedelta(minutes=5)
        outcomes = GeneratedOutcomes.generate(count, self._next, chance, now - timedelta(hours=hours), now)
        self._next += len(outcomes.histories)
        return outcomes

    async def _write(self, records: Sequence[Envelope], outcomes: int) -> None:
        await self.servers.publish(records)
        self._written += outcomes

    async def _read_so_far(self) -> int:
        there = await self.servers.database.fetchval("SELECT to_regclass('stats.position') IS NOT NULL")
        if not there:
            return 0
        read = "SELECT coalesce(sum(next_offset), 0)::int FROM stats.position WHERE topic = $1"
        return int(await self.servers.database.fetchval(read, DeliveryOutcome.topic) or 0)

    async def _wait_until_read(self) -> None:
        until = time.monotonic() + READ_SECONDS_MAX
        while await self._read_so_far() < self._written:
            if time.monotonic() > until:
                raise MeasurementError(f"stats had not read everything after {READ_SECONDS_MAX:g} s")
            await asyncio.sleep(POLL_SECONDS)

    async def _ends(self) -> Mapping[TopicPartition, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers.topics.kafka)
        await consumer.start()
        try:
            return await consumer.end_offsets([TopicPartition(DeliveryOutcome.topic, n) for n in range(PARTITIONS)])
        finally:
            await consumer.stop()

    async def _decoded(self, since: Mapping[TopicPartition, int], count: int) -> float:
        """Records per second when the same records are only read and decoded."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.servers.topics.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(list(since))
            for partition, offset in since.items():
                consumer.seek(partition, offset)
            began, read = time.monotonic(), 0
            while read < count:
                for batch in (await consumer.getmany(timeout_ms=500, max_records=500)).values():
                    for record in batch:
                        decode(record.topic, read_headers(record.headers), record.value)
                    read += len(batch)
            return count / (time.monotonic() - began)
        finally:
            await consumer.stop()


async def _get(process: ServiceProcess, path: str, query: Mapping[str, str] | None = None) -> Any:
    address = f"{process.address}/api/v1{path}"
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.get(address, params=query) as answer:
        if answer.status != 200:
            raise MeasurementError(f"GET {path} returned {answer.status}: {await answer.text()}")
        return await answer.json()


async def _measure(parts: Sequence[str], progress: Progress) -> StatsMeasurement:
    found = StatsMeasurement()
    progress.say("starting a Kafka and a Postgres ...")
    async with servers() as own:
        run = StatsBench(own, progress, found)
        if "exact" in parts:
            await run.exact()
        if "fold" in parts or "history" in parts:
            async with own.run_service("stats", None, **SETTINGS) as process:
                if "fold" in parts:
                    await run.fold(process)
                if "history" in parts:
                    await run.history(process)
    return found


def _table(found: StatsMeasurement) -> list[str]:
    rows = [("what", "measured", "aim", "met")]
    if found.lives:
        measured = (
            f"{len(found.differences)} of {5 * found.compared:,} windows differ from a recount; {found.outcomes:,} "
            f"outcomes in {found.records:,} records, stats killed {found.lives} times"
        )
        rows.append(("counts through kills and doubled records", measured, "none", _met(not found.differences)))
    if found.folded:
        ratio = statistics.median(pair.ratio for pair in found.folded)
        ours, bare = (statistics.median(pair[half] for pair in found.folded) for half in (0, 1))
        each = " ".join(f"{pair.ratio:.3f}" for pair in found.folded)
        measured = f"{ours:,.0f} of {bare:,.0f} ({ratio:.3f}; rounds {each}), {found.mebibytes:.0f} MiB"
        rows.append(("outcomes folded a second, of decoding the same bare", measured, "measured", "-"))
    for what, taken in found.history_ms.items():
        median = statistics.median(taken)
        measured = f"median {median:.0f} ms, p99 {p99(taken):.0f} ms"
        aim = f"under {HISTORY_MS_MAX:.0f} ms" if "by the hour" in what else "measured"
        rows.append((what, measured, aim, _met(median < HISTORY_MS_MAX) if "by the hour" in what else "-"))
    return rows_of_text(rows)


def _met(yes: bool) -> str:
    return "met" if yes else "NOT met"


def _keep(name: str, machine: Machine, seconds: float, found: StatsMeasurement) -> tuple[Path, Path]:
    RESULTS.mkdir(exist_ok=True)
    as_json, as_text = RESULTS / f"{name}.json", RESULTS / f"{name}.md"
    plain = {**asdict(found), "folded": [pair._asdict() for pair in found.folded]}
    content = {"machine": asdict(machine), "seconds": round(seconds, 1), "found": plain}
    as_json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    lines = [
        f"# Bench {name}",
        "",
        f"{machine.line}, {seconds:.0f} s",
        "",
        *_table(found),
        "",
        "How to read it: README.md.",
    ]
    as_text.write_text("\n".join(lines) + "\n")
    return as_json, as_text


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench stats")
    parser.add_argument("--name", help="name of the files in bench/results (default: date and time)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="measure only these parts")
    options = parser.parse_args(arguments)
    machine, progress = Machine.this(), Progress()
    try:
        found = asyncio.run(_measure(options.only, progress))
    except MeasurementError as reason:
        progress.say(f"given up: {reason}")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        progress.say("stopped")
        return 130
    kept = _keep(options.name or f"stats-{machine.name}", machine, time.monotonic() - progress.began, found)
    print("\n".join(_table(found)))
    progress.say(f"written to {' and '.join(str(file) for file in kept)}")
    return 1 if found.differences else 0
