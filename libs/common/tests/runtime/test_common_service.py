"""Service: components start in order with retries and stop in reverse, and readiness names what is missing."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from fastapi import FastAPI

from spreader.runtime.failure_streak import FailureStreak
from spreader.runtime.loop import Loop
from spreader.runtime.probe import Probe
from spreader.runtime.service import Service


@dataclass(eq=False)
class FakeComponent:
    """A part that writes down what happens to it; the first `failures` starts fail."""

    name: str
    diary: list[str]
    failures: int = 0
    wrong: str | None = None
    living: bool = True
    gate: asyncio.Event | None = field(default=None)

    async def start(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            self.failures -= 1
            self.diary.append(f"{self.name} failed")
            raise OSError("connection refused")
        self.diary.append(f"{self.name} started")

    async def stop(self) -> None:
        self.diary.append(f"{self.name} stopped")

    def not_ready_reason(self) -> str | None:
        return self.wrong

    def is_live(self) -> bool:
        return self.living


NEVER_STOPS = """
import contextlib, time
from fastapi import FastAPI
from spreader.runtime import service
from spreader.settings import Settings

@contextlib.asynccontextmanager
async def lifespan(_):
    print("started", flush=True)
    yield
    while True:
        time.sleep(1)  # not even the event loop runs

service.EXIT_SECONDS = 0.5
service.run(FastAPI(lifespan=lifespan), Settings(), 0)
"""


LOOKS_SELDOM = """
import contextlib
from fastapi import FastAPI
from spreader.runtime import service
from spreader.settings import Settings

@contextlib.asynccontextmanager
async def lifespan(_):
    print("started", flush=True)
    yield

service.TICK_SECONDS = 3_600
service.run(FastAPI(lifespan=lifespan), Settings(), 0)
"""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.runtime.service.START_BACK_OFF_SECONDS", 0)


async def get(app: FastAPI, path: str) -> tuple[int, Any]:
    """One request straight into the application, without its lifespan."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], body


async def test_components_start_in_order_also_after_failures_and_stop_in_reverse() -> None:
    diary: list[str] = []
    service = Service(
        "test",
        [FakeComponent("postgres", diary, failures=2), FakeComponent("table", diary), FakeComponent("kafka", diary)],
    )
    await service.start()
    await service.stop()
    assert diary == [
        "postgres failed",
        "postgres failed",
        "postgres started",
        "table started",
        "kafka started",
        "kafka stopped",
        "table stopped",
        "postgres stopped",
    ]


async def test_a_component_that_fails_to_stop_does_not_keep_others_from_stopping() -> None:
    diary: list[str] = []

    class Stubborn(FakeComponent):
        async def stop(self) -> None:
            raise RuntimeError("will not")

    service = Service("test", [FakeComponent("postgres", diary), Stubborn("kafka", diary)])
    await service.start()
    await service.stop()
    assert diary[-1] == "postgres stopped"


async def test_components_that_never_stop_use_up_one_time_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.runtime.service.STOP_SECONDS", 0.1)
    monkeypatch.setattr("spreader.runtime.service.STOP_COMPONENT_SECONDS", 0.01)
    diary: list[str] = []

    class Endless(FakeComponent):
        async def stop(self) -> None:
            await asyncio.Event().wait()

    service = Service("test", [FakeComponent("postgres", diary), *(Endless(f"loop {n}", diary) for n in range(20))])
    await service.start()
    began = time.monotonic()
    with structlog.testing.capture_logs():  # without it, the tracebacks of 20 warnings would take most of the time
        await service.stop()
    assert time.monotonic() - began < 1
    assert diary[-1] == "postgres stopped"


def test_a_process_ends_after_its_signal_also_when_its_shutdown_never_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", NEVER_STOPS], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"Timeout" in errors, "the interpreter shows where the process was stuck"


def test_a_signal_ends_the_wait_of_the_http_server() -> None:
    process = subprocess.Popen([sys.executable, "-c", LOOKS_SELDOM], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


async def test_ready_names_the_components_that_are_not_ready_and_why() -> None:
    diary: list[str] = []
    gate = asyncio.Event()
    postgres, kafka = FakeComponent("postgres", diary, gate=gate), FakeComponent("kafka", diary)
    service = Service("test", [postgres, kafka])
    app = service.app()
    starting = asyncio.create_task(service.start())
    status, body = await get(app, "/health/ready")
    assert status == 503
    assert json.loads(body) == {
        "service": "test",
        "status": "not ready",
        "reasons": {"postgres": "not started yet", "kafka": "not started yet"},
        "failing": {},
    }
    gate.set()
    await starting
    status, body = await get(app, "/health/ready")
    assert (status, json.loads(body)["status"]) == (200, "ready")
    kafka.wrong = "no answer: OSError: connection refused"
    status, body = await get(app, "/health/ready")
    assert (status, json.loads(body)["reasons"]) == (503, {"kafka": kafka.wrong})
    await service.stop()


async def test_ready_names_the_error_of_a_component_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.runtime.service.START_BACK_OFF_SECONDS", 3600)
    diary: list[str] = []
    service = Service("test", [FakeComponent("postgres", diary, failures=1)])
    starting = asyncio.create_task(service.start())
    while not diary:
        await asyncio.sleep(0)
    status, body = await get(service.app(), "/health/ready")
    assert status == 503
    assert json.loads(body)["reasons"] == {"postgres": "cannot start: OSError: connection refused"}
    starting.cancel()


async def test_liveness_depends_on_the_process_and_not_on_other_servers() -> None:
    diary: list[str] = []
    kafka = FakeComponent("kafka", diary, wrong="no answer")
    service = Service("test", [kafka])
    app = service.app()
    await service.start()
    assert await get(app, "/health/live") == (200, b'{"status":"alive"}')
    kafka.living = False
    assert await get(app, "/health/live") == (503, b'{"status":"stuck"}')
    await service.stop()


async def test_the_application_stops_its_components_also_when_one_never_started() -> None:
    diary: list[str] = []
    service = Service("test", [FakeComponent("postgres", diary), FakeComponent("kafka", diary, gate=asyncio.Event())])
    app = service.app(title="Test")
    async with app.router.lifespan_context(app):
        while not diary:
            await asyncio.sleep(0)
        assert (await get(app, "/health/live"))[0] == 200
    assert diary == ["postgres started", "postgres stopped"]


async def test_metrics_are_shown_in_prometheus_form() -> None:
    status, body = await get(Service("test", []).app(), "/metrics")
    assert status == 200
    assert b"# TYPE spreader_dead_letters_records_total counter" in body


async def test_metrics_name_the_version_and_the_components_that_are_not_ready() -> None:
    service = Service("test", [FakeComponent("whole", []), FakeComponent("broken", [], wrong="no answer")])
    await service.start()
    status, body = await get(service.app(), "/metrics")
    text = body.decode()
    assert status == 200
    assert 'spreader_troubled_parts{part="whole"} 0.0' in text
    assert 'spreader_troubled_parts{part="broken"} 1.0' in text
    assert 'spreader_build_info{service="test",version="' in text


async def test_a_loop_that_keeps_failing_is_named_with_its_error_while_the_service_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spreader.runtime.loop.BACK_OFF_MAX_SECONDS", 0)
    broken = True

    async def step() -> float:
        if broken:
            raise KeyError("a column")
        return 3600

    loop = Loop("count things", step)
    service = Service("test", [loop])
    app = service.app()
    await service.start()

    async def failing() -> dict[str, str]:
        status, body = await get(app, "/health/ready")
        assert status == 200
        return json.loads(body)["failing"]

    async with asyncio.timeout(5):
        while not await failing():
            await asyncio.sleep(0)
    assert "failures in a row" in (await failing())["count things"]
    assert "KeyError: 'a column'" in (await failing())["count things"]
    assert b'spreader_failing_work{name="count things"} 1.0' in (await get(app, "/metrics"))[1]
    broken = False
    async with asyncio.timeout(5):
        while await failing():
            await asyncio.sleep(0)
    assert b'spreader_failing_work{name="count things"} 0.0' in (await get(app, "/metrics"))[1]
    await service.stop()


def test_failures_are_reported_when_they_have_lasted_a_minute() -> None:
    seconds = 0.0
    streak = FailureStreak(lambda: seconds)
    streak.failed(OSError("away"))
    assert streak.report() is None
    seconds = 60.0
    streak.failed(OSError("away"))
    assert streak.report() == "2 failures in a row for 60 s; the last one: OSError: away"
    streak.succeeded()
    assert streak.report() is None


def test_failures_are_forgotten_when_nothing_is_tried_any_more() -> None:
    """A consumer whose partition went to another process learns nothing of the success there."""
    seconds = 0.0
    streak = FailureStreak(lambda: seconds)
    for _ in range(5):
        streak.failed(OSError("away"))
    assert streak.report() is not None
    seconds = 3600.0
    assert streak.report() is None


async def test_a_loop_survives_a_cancellation_that_a_library_let_out() -> None:
    steps = 0
    again = asyncio.Event()

    async def step() -> float:
        nonlocal steps
        steps += 1
        if steps == 1:
            raise asyncio.CancelledError
        again.set()
        return 3600

    loop = Loop("survivor", step)
    await loop.start()
    async with asyncio.timeout(5):
        await again.wait()
    await loop.stop()


async def test_a_probe_survives_a_cancellation_that_a_library_let_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROBE_SECONDS", "RECOVERY_SECONDS"):
        monkeypatch.setattr(f"spreader.runtime.probe.{name}", 0)

    class Fickle(Probe):
        checks = 0

        async def check(self) -> None:
            self.checks += 1
            if self.checks == 1:
                raise asyncio.CancelledError

    probe = Fickle()
    probe.start_checks()
    async with asyncio.timeout(5):
        while probe.checks < 3:
            await asyncio.sleep(0)
    assert probe.not_ready_reason() is None
    await probe.stop_checks()


async def test_a_check_without_an_answer_is_reported_and_cut_off_at_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.runtime.probe.ANSWER_SECONDS", 0)
    monkeypatch.setattr("spreader.runtime.probe.STOP_SECONDS", 0.01)

    class Silent(Probe):
        async def check(self) -> None:
            await asyncio.Event().wait()

    probe = Silent()
    probe.start_checks()
    async with asyncio.timeout(5):
        while (reason := probe.not_ready_reason()) is None:
            await asyncio.sleep(0)
        assert reason.startswith("no answer for")
        await probe.stop_checks()
