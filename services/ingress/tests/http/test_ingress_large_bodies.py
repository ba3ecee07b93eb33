"""Large bodies: the child reads them, few are in memory at once, and a small request never waits for them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import structlog
from fastapi import Request
from sqlalchemy import event

from ingress.consent.schemas import read_recipients
from ingress.core.recipient_parts import RecipientParts
from ingress.http import body_turns
from ingress.http.body_turns import AT_ONCE, SMALL_BYTES
from ingress.http.large_bodies import LargeBodies
from ingress.testing import System
from spreader.contract.events import OpenMessageRequested
from spreader.http.problems import Problem
from spreader.kafka.envelope import decode

OPEN, PREVIEW, REPLY = (f"/packages/pkg/messages/{name}" for name in ("open", "preview", "reply"))
SUPPRESSIONS = "/packages/pkg/suppressions"
LIMIT = 1_000_000


def numbers(count: int) -> list[str]:
    return [f"2015{number:08}" for number in range(count)]


def message(recipients: list[str], **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": "Hello", "recipients": recipients, **more}


@pytest.mark.parametrize("path", [OPEN, PREVIEW, REPLY, SUPPRESSIONS, "/suppressions", "/packages/pkg/opt-ins"])
async def test_a_large_body_is_parsed_in_the_child(system: System, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """100,000 recipients would stop the event loop for 50 ms, and wrong ones for half a second."""
    await system.package("a")

    def must_not_run(*_: Any, **__: Any) -> Any:
        raise AssertionError("this process parsed a large body")

    monkeypatch.setattr("ingress.http.request_body.try_parse", must_not_run)
    few = {"recipients": numbers(3_000)}
    wrong = {"recipients": ["1", *numbers(3_000), "2"]}
    if "messages" in path:
        few, wrong = message(**few), message(**wrong)
    if path == REPLY:
        few = {"type": "text", "text": "x" * 4_000, "recipient": "201500000001", "conversation_id": "y" * 20_000}
    answer = await system.http.post(path, json=few)
    assert answer.status_code in (200, 202, 422, 503), answer.text
    if path != REPLY:
        refused = await system.http.post(path, json=wrong)
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/recipients/0", "/recipients/3001"]
    broken = await system.http.post(path, content=b"[" * 100_000)
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed")


async def test_a_large_message_has_each_recipient_once_in_the_order_given(system: System) -> None:
    await system.package("a")
    given, headers = numbers(2_600), {"Idempotency-Key": "k"}
    answers = [await system.http.post(OPEN, json=message([*given, *given[:50]]), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    body = answers[0].json()
    assert (body["recipients"], body["duplicates_removed"], answers[1].json()) == (2_600, 50, body)
    await system.relay_outbox()
    events = [decode(each.topic, each.headers, each.body) for each in system.log.envelopes]
    parts = [event for event in events if isinstance(event, OpenMessageRequested)]
    assert [number for part in parts for number in part.recipients] == given
    assert [(part.first_index, part.total) for part in parts] == [(500 * n, 2_600) for n in range(6)]


async def test_a_large_preview_counts_those_who_may_not_be_written_to(system: System) -> None:
    await system.package("a")
    given = numbers(2_600)
    added = await system.http.post(SUPPRESSIONS, json={"recipients": given[:1_700]})
    assert added.json()["added"] == 1_700
    system.router.responses["/preview"] = {
        "strategy": "round_robin", "distribution": {"a": 900}, "passed_over": {}, "refused": None, "waiting": None,
    }  # fmt: skip
    forecast = {"completion": None, "binds": "", "counted_until": None, "profiles": {}, "curve": []}
    system.pacer.responses["/forecast"] = forecast
    questions = list[str]()

    def note(*arguments: Any) -> None:
        questions.extend([arguments[2]] if "ingress.consent" in arguments[2] else [])

    event.listen(system.engine.sync_engine, "before_cursor_execute", note)
    body = (await system.http.post(PREVIEW, json=message(given))).json()
    event.remove(system.engine.sync_engine, "before_cursor_execute", note)
    assert len(questions) == 1  # one for 5,000 recipients
    assert (body["recipients"], body["suppressed"]) == (2_600, 1_700)
    (_, asked), (_, forecast_query) = system.router.queries[-1], system.pacer.queries[-1]
    assert asked["recipients"] == 900
    assert set(forecast_query["recipients"]) <= set(given[1_700:])
    assert 50 <= len(forecast_query["recipients"]) <= 200


class Caller:
    """A request that sends a first chunk, and the rest after `continues` is set."""

    def __init__(self) -> None:
        self.continues, self.is_read_on = asyncio.Event(), asyncio.Event()
        self._sent = 0

    @property
    def request(self) -> Request:
        return Request({"type": "http", "method": "POST", "headers": []}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        self._sent += 1
        if self._sent == 1:
            return {"type": "http.request", "body": b'{"recipients": [' + b" " * SMALL_BYTES, "more_body": True}
        self.is_read_on.set()
        await self.continues.wait()
        return {"type": "http.request", "body": b'"201500000001"]}', "more_body": False}


@contextlib.asynccontextmanager
async def reading(count: int) -> AsyncGenerator[tuple[LargeBodies, list[Caller], list[asyncio.Task[Any]]]]:
    """Large bodies that wait for the rest of their callers' bodies."""
    bodies, callers = LargeBodies("ingress.consent.schemas"), [Caller() for _ in range(count)]
    tasks = [asyncio.create_task(bodies.read(caller.request, LIMIT, read_recipients)) for caller in callers]
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(caller.is_read_on.wait() for caller in callers[:AT_ONCE]))
        yield bodies, callers, tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bodies.stop()


async def test_only_a_few_large_bodies_are_read_at_once_and_the_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_turns, "WAIT_SECONDS", 60.0)
    async with reading(AT_ONCE + 2) as (_, callers, tasks):
        assert [caller.is_read_on.is_set() for caller in callers] == [True] * AT_ONCE + [False] * 2
        for caller in callers:
            caller.continues.set()
        assert await asyncio.gather(*tasks) == [RecipientParts.of(["201500000001"])] * (AT_ONCE + 2)


async def test_a_large_body_is_refused_while_too_many_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_turns, "WAITING_MAX", 1)
    async with reading(AT_ONCE + 1) as (bodies, _, _tasks):
        with pytest.raises(Problem, match="1 other large requests wait") as refused:
            await bodies.read(Caller().request, LIMIT, read_recipients)
        assert (refused.value.kind.status, refused.value.headers) == (503, {"Retry-After": "2"})
        small = Request({"type": "http", "headers": []}, _small)
        assert await bodies.read(small, LIMIT, read_recipients) == RecipientParts.of(["201500000001"])


async def _small() -> dict[str, Any]:
    return {"type": "http.request", "body": b'{"recipients": ["201500000001"]}', "more_body": False}


@pytest.mark.parametrize(("setting", "why"), [("WAIT_SECONDS", "turn did not come"), ("ARRIVE_SECONDS", "not arrive")])
async def test_a_large_body_waits_and_arrives_in_limited_time(
    monkeypatch: pytest.MonkeyPatch, setting: str, why: str
) -> None:
    if setting == "ARRIVE_SECONDS":
        monkeypatch.setattr(body_turns, setting, 0.01)
        bodies = LargeBodies()
        with pytest.raises(Problem, match=why):
            await bodies.read(Caller().request, LIMIT, read_recipients)
        return
    async with reading(AT_ONCE) as (bodies, _, _tasks):
        monkeypatch.setattr(body_turns, setting, 0.01)
        with pytest.raises(Problem, match=why):
            await bodies.read(Caller().request, LIMIT, read_recipients)


@pytest.mark.parametrize("code", ["raise ValueError('secret')", "import os; os._exit(1)"])
async def test_a_body_that_breaks_the_child_is_refused_and_the_next_one_is_read(code: str) -> None:
    bodies, valid = LargeBodies("ingress.consent.schemas"), b'{"recipients": ["201500000001"]}'
    try:
        with structlog.testing.capture_logs() as logged:
            hostile = asyncio.create_task(bodies.parse(exec, padded(code.encode())))
            following = asyncio.create_task(bodies.parse(read_recipients, padded(valid)))
            small = await bodies.parse(read_recipients, bytearray(valid))
            assert (small, hostile.done()) == (RecipientParts.of(["201500000001"]), False)
            with pytest.raises(Problem, match="failed") as refused:
                await hostile
            assert refused.value.kind.status == 503
            assert await following == small
        assert "secret" not in str(logged)
    finally:
        await bodies.stop()


def padded(body: bytes) -> bytearray:
    return bytearray(body + b"\n" * SMALL_BYTES)
