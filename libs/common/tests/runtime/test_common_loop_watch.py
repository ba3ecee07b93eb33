"""Loop watch and collector: stops of the event loop are counted, and the start is spared by later collections."""

import asyncio
import subprocess
import sys
import time

from spreader.runtime.loop_watch import STOP_SECONDS, LoopWatch
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
