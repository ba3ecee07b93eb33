"""Lateness: how late a release is made, and how late it is published, measured from its due time."""

import asyncio
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import uvloop
from sqlalchemy import text

from bench import child
from bench.figures import p99
from bench.pacer.database import tree_mebibytes
from bench.pacer.process import engine_of, running
from bench.pacer.workload import AT_WALL_SPEED
from pacer.core.policy import Release, Wait
from pacer.core.release_pass import Due, PassResult
from spreader.clock import wall_now
from spreader.contract.events import DeliveryReleased

WARM_SECONDS_MAX = 60.0
GRACE_SECONDS = 60.0
QUIET_DUE_MAX = 20  # due profiles in one pass: about as many as become due while a pass runs

# Pretends that every profile has released before, so that the next releases of the profiles are spread at random.
AT_WORK = text("""
UPDATE pacer.profile SET last_release = clock_timestamp() - random() * interval '120 seconds', look_at = '-infinity'""")


@dataclass(frozen=True, slots=True)
class Lateness:
    url: str
    seconds: float

    async def run(self) -> dict[str, Any]:
        """Starts a process that releases deliveries and measures how late each release is. Returns milliseconds of
        lateness, releases a second, and memory."""
        seconds = self.seconds + WARM_SECONDS_MAX + GRACE_SECONDS
        return await child.ask("bench.pacer.lateness", asdict(self), seconds)


@dataclass
class Watch:
    """Records how late releases are. Each pass sets the time of the next look at a profile, and a release is due at
    this time. The time of the first look at a profile was not set by a pass, so a release at this look does not
    count."""

    _due_at: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)
    _moments: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)
    committed: list[float] = field(default_factory=list[float], init=False)
    published: list[float] = field(default_factory=list[float], init=False)
    profiles: int = field(default=0, init=False)

    def on_pass(self, looks: Sequence[tuple[Due, PassResult]], _now: datetime) -> None:
        self.profiles, now = len(looks), wall_now()
        for _, each in looks:
            due_at = self._due_at.pop(each.profile_id, None)
            if isinstance(each.decision, Wait) and each.look_at is not None:
                self._due_at[each.profile_id] = each.look_at
            elif isinstance(each.decision, Release) and due_at is not None and each.delivery is not None:
                self.committed.append(_milliseconds(now - due_at))
                self._note(each.delivery.delivery_id, due_at)

    def on_published(self, event: DeliveryReleased) -> None:
        """May be called before `on_pass` for the same release."""
        self._note(event.delivery_id, wall_now())

    def _note(self, delivery_id: str, moment: datetime) -> None:
        other = self._moments.pop(delivery_id, None)
        if other is None:
            self._moments[delivery_id] = moment
        else:
            self.published.append(_milliseconds(abs(moment - other)))

    def overdue(self) -> int:
        """The profiles that are due now and still wait for a pass."""
        now = wall_now()
        return sum(due_at < now for due_at in self._due_at.values())

    def clear(self) -> None:
        self._moments.clear()
        self.committed.clear()
        self.published.clear()


async def _run(asked: Lateness) -> dict[str, Any]:
    watch = Watch()
    async with engine_of(asked.url) as engine:
        async with engine.begin() as connection:
            await connection.execute(AT_WORK)
        async with running(engine, AT_WALL_SPEED, watch.on_pass, watch.on_published):
            await _settle(watch)
            watch.clear()
            began, cpu = time.perf_counter(), time.process_time()
            await asyncio.sleep(asked.seconds)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            memory, overdue = tree_mebibytes(os.getpid()), watch.overdue()
    return {
        "committed": _summary(watch.committed),
        "published": _summary(watch.published),
        "per_second": len(watch.published) / seconds,
        "own_cpu_share": cpu / seconds,
        "memory": memory,
        "overdue": overdue,
        "memory_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _settle(watch: Watch) -> None:
    """Wait until the backlog of the start is released."""
    until = time.monotonic() + WARM_SECONDS_MAX
    await asyncio.sleep(5)
    while watch.profiles > QUIET_DUE_MAX:
        if time.monotonic() > until:
            raise child.MeasurementError(
                f"after {WARM_SECONDS_MAX:g} s there are still {watch.profiles} profiles due at once"
            )
        await asyncio.sleep(0.1)


def _milliseconds(duration: timedelta) -> float:
    return duration.total_seconds() * 1e3


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"count": len(values), "median": statistics.median(values), "p99": p99(values), "max": max(values)}


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(Lateness(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
