"""Forecast process: a real child computes forecasts, and neither its death nor that of the pacer leaves a trace."""

import asyncio
import contextlib
import dataclasses
import os
import select
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from pacer.core.forecast.package_forecast import ForecastTask
from pacer.core.forecast.plan import STEPS_OF_ANSWER, ForecastPlan, plan_forecast
from pacer.core.forecast.queue_snapshot import QueuePart, QueueSnapshot
from pacer.core.hours import Hours
from pacer.core.policy import Margins, Rules
from pacer.testing import Pacer, assigned
from pacer.views.endpoints import add_endpoints
from pacer.views.forecast import Forecaster
from pacer.views.forecast_process import COMMAND, WAITING_MAX, ForecastProcess, ForecastRefused
from spreader.contract.configuration import Gap, ProfileLimits

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
SILENT = (
    sys.executable,
    "-c",
    "import sys; sys.stdout.buffer.write(bytes(8)); sys.stdout.flush(); sys.stdin.buffer.read()",
)
"""A child that loads, and then never answers."""
PARENT = """
import asyncio
from pacer.views.forecast_process import ForecastProcess

async def main():
    process = ForecastProcess()
    await process.start()
    print(process.child_id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def task(deliveries: int = 10) -> ForecastTask:
    margins = Margins(timedelta(0), timedelta(0))
    rules = Rules(ProfileLimits(), Hours(None, "UTC"), Gap(), 0.4, margins, 10)
    snapshot = QueueSnapshot("p0", rules, [], [], [QueuePart(deliveries, 1, False, NOON)])
    plan = plan_forecast([snapshot.load], STEPS_OF_ANSWER)
    return ForecastTask("one", [snapshot.load], plan, [snapshot], None, [], NOON)


@contextlib.asynccontextmanager
async def started(command: Sequence[str] = COMMAND, seconds: float = 60.0) -> AsyncGenerator[ForecastProcess]:
    process = ForecastProcess(command, seconds)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


def has_ended(process_id: int, seconds: float = 20.0) -> bool:
    """Whether the process ends in this time."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("spreader_forecasts_refused_total", {"reason": reason}) or 0


async def has_its_turn() -> None:
    """One step for the forecast to join the queue, and one to leave it."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_the_child_computes_the_same_forecast() -> None:
    async with started() as process:
        for deliveries in (10, 5_000):
            assert await process.compute(task(deliveries), "preview") == task(deliveries).forecast()
        child = process.child_id
        assert child is not None
        assert child != os.getpid()
    assert has_ended(child)


async def test_the_first_answer_after_a_start_does_not_wait_for_the_child_to_load() -> None:
    """Red before: on a busy machine the child was still loading when the first message came."""
    async with started() as process:
        assert (await process.compute(task(), "answer")).completion is not None


async def test_after_the_child_was_killed_the_next_forecast_works() -> None:
    async with started() as process:
        expected = await process.compute(task(), "preview")
        for _ in range(2):
            killed = process.child_id
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            assert await process.compute(task(), "preview") == expected
            assert process.child_id != killed
        assert process.failing() == {}


async def test_the_child_ends_when_the_pacer_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    assert has_ended(child)


async def test_a_child_that_does_not_answer_is_replaced() -> None:
    async with started(SILENT, seconds=2.0) as process:
        silent, before = process.child_id, refused("failed")
        with pytest.raises(ForecastRefused, match="no forecast now: it failed"):
            await process.compute(task(), "preview")
        assert (refused("failed") - before, process.child_id == silent) == (1, False)


async def test_an_error_of_one_forecast_is_not_one_of_the_next() -> None:
    good = task()
    broken = dataclasses.replace(good, plan=ForecastPlan({}, {"p0": "unknown"}))
    async with started() as process:
        with pytest.raises(ForecastRefused, match="it failed"):
            await process.compute(broken, "preview")
        child = process.child_id
        assert (await process.compute(good, "preview")).completion is not None
        assert process.child_id == child


async def test_a_full_queue_refuses_at_once() -> None:
    async with started(SILENT) as process, asyncio.TaskGroup() as group:
        running = group.create_task(process.compute(task(), "preview"))
        await has_its_turn()
        waiting = [group.create_task(process.compute(task(), "preview")) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        before = refused("queue full")
        with pytest.raises(ForecastRefused, match=f"{WAITING_MAX} other forecasts wait already"):
            await process.compute(task(), "answer")
        assert refused("queue full") == before + 1
        for each in (running, *waiting):
            each.cancel()


async def test_an_answer_goes_before_previews() -> None:
    async with started() as process:
        ended: list[str] = []

        async def compute(purpose: str, deliveries: int) -> None:
            await process.compute(task(deliveries), "answer" if purpose == "answer" else "preview")
            ended.append(purpose)

        await process.compute(task(), "preview")  # the child has loaded
        async with asyncio.TaskGroup() as group:
            group.create_task(compute("first", 400))
            await has_its_turn()
            for purpose in ("preview", "answer"):
                group.create_task(compute(purpose, 10))
        assert ended == ["first", "answer", "preview"]


@pytest.mark.postgres
async def test_the_endpoint_refuses_with_503_and_retry_after(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    async with started() as process:
        app = FastAPI()
        forecaster = Forecaster(pacer.engine, pacer.config, pacer.clock, process.compute)
        add_endpoints(app, forecaster, pacer.explainer)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pacer")
        body = {"package_id": "one", "deliveries": {"p0": 900}}
        preview = (await http.post("/forecast", json=body)).json()
        answer = (await http.post("/forecast", json=body | {"purpose": "answer"})).json()
        assert (preview["simulated"], preview["counted_until"], len(preview["curve"]) > 1) == (902, None, True)
        assert (answer["simulated"], answer["curve"]) == (STEPS_OF_ANSWER, [])
        assert answer["counted_until"] < answer["completion"]
        await process.stop()
        refused = await http.post("/forecast", json=body | {"purpose": "answer"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.json()["detail"] == "the pacer has no forecast now: it was not computed within 0.9 s"
