"""Loop watch and collector: stops of the event loop are counted, and the start is spared by later collections."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from spreader.runtime.loop_watch import IDLE_TICK_SECONDS, STOP_SECONDS, TICK_SECONDS, LoopWatch
from spreader.telemetry.metrics import EVENT_LOOP_STOPS


def stops() -> tuple[float, float]:
    """Number of stops and their seconds together."""
    (metric,) = EVENT_LOOP_STOPS.collect()
    values = {sample.name.rpartition("_")[2]: sample.value for sample in metric.samples}
    return values["count"], values["sum"]


async def test_a_stop_of_the_event_loop_is_counted_with_its_length() -> None:
    watch, (count, seconds) = LoopWatch(), stops()
    watch.start()
    blocked_until = time.monotonic() + 4 * STOP_SECONDS
    while time.monotonic() < blocked_until:
        pass  # nothing else can run
    async with asyncio.timeout(5):
        while stops()[0] == count:
            await asyncio.sleep(0)
    watch.stop()
    assert stops()[1] - seconds >= 2 * STOP_SECONDS


async def test_a_stopped_watch_counts_nothing() -> None:
    watch = LoopWatch()
    watch.start()
    watch.stop()
    count, _ = stops()
    blocked_until = time.monotonic() + 2 * STOP_SECONDS
    while time.monotonic() < blocked_until:
        pass
    await asyncio.sleep(0)
    assert stops()[0] == count


async def test_an_idle_loop_is_watched_with_few_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the loop and of the processor is that of the test. Dies when an idle loop ticks as often as a busy
    one."""
    loop, used, dues = asyncio.get_running_loop(), [0.0], list[float]()
    now, ticks = [0.0], list[Callable[[asyncio.AbstractEventLoop], None]]()
    monkeypatch.setattr(loop, "time", lambda: now[0])

    def call_at(due: float, tick: Callable[[asyncio.AbstractEventLoop], None], _: object) -> None:
        dues.append(due)
        ticks.append(tick)

    monkeypatch.setattr(loop, "call_at", call_at)
    watch = LoopWatch(lambda: used[0])
    watch.start()
    waits = list[float]()
    for is_idle in (True, True, False, True):
        waits.append(dues[-1] - now[0])
        now[0] = dues[-1]
        used[0] += 0.0 if is_idle else waits[-1]
        ticks[-1](loop)
    monkeypatch.undo()
    expected = [TICK_SECONDS, IDLE_TICK_SECONDS, IDLE_TICK_SECONDS, TICK_SECONDS, IDLE_TICK_SECONDS]
    assert [*waits, dues[-1] - now[0]] == pytest.approx(expected)


def test_later_collections_skip_what_the_start_has_made() -> None:
    code = """
import gc
import spreader.runtime.service
from spreader.runtime.collector import THRESHOLDS, spare_the_start
spare_the_start()
assert gc.get_threshold() == THRESHOLDS
print(gc.get_freeze_count(), len(gc.get_objects()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    frozen, seen = map(int, done.stdout.split())
    assert seen < frozen / 20
