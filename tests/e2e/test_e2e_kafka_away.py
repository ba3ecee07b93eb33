"""Hanging broker: requests get a 503 in time, readiness names the reason, and work resumes without a restart."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from e2e.system import Response, RunningSystem, eventually

pytestmark = pytest.mark.e2e

MESSAGE: dict[str, Any] = {"type": "text", "text": "Hello", "recipients": ["201000000021"]}


@contextmanager
def frozen(pid: int | None) -> Generator[None]:
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_hanging_kafka_is_reported_and_services_recover(live: RunningSystem) -> None:
    await live.create_package("away", 1)
    pids = {name: live.pid(name) for name in ("ingress", "router", "pacer", "sender", "stats")}
    with frozen(live.pid("kafka")):
        answer = await live.ask("POST", "/packages/away/messages/open", MESSAGE)
        assert answer.status == 503, answer.body
        assert answer.seconds < 5
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        await eventually(live.ready, 20, lambda seen: seen.status == 503 and "kafka" in seen.body["reasons"])
        again = await live.ask("POST", "/packages/away/messages/open", MESSAGE)
        assert again.status == 503

    async def is_ready() -> Response:
        return await live.ready()

    await eventually(is_ready, 30, lambda seen: seen.status == 200)

    async def accepted() -> Response:
        return await live.ask("POST", "/packages/away/messages/open", {**MESSAGE, "recipients": ["201000000022"]})

    await eventually(accepted, 60, lambda seen: seen.status == 202 and bool(seen.body["distribution"]))

    async def replied() -> Response:
        reply = {"type": "text", "text": "Yes", "recipient": "201000000023"}
        return await live.ask("POST", "/packages/away/messages/reply", reply)

    await eventually(replied, 60, lambda seen: seen.status == 200)
    assert pids == {name: live.pid(name) for name in pids}
