"""Loop: it is woken, survives failures, and finishes the running step when it stops."""

import asyncio

import pytest

from spreader.runtime.loop import Loop

FOREVER_SECONDS = 3600.0


async def test_a_step_that_returns_zero_is_followed_by_the_next_at_once() -> None:
    turns: list[int] = []
    enough = asyncio.Event()

    async def turn() -> float:
        turns.append(len(turns))
        if len(turns) == 3:
            enough.set()
        return 0 if len(turns) < 3 else FOREVER_SECONDS

    loop = Loop("test", turn)
    await loop.start()
    await enough.wait()
    await loop.stop()
    assert turns == [0, 1, 2]


async def test_a_wake_ends_a_long_sleep() -> None:
    began: asyncio.Queue[int] = asyncio.Queue()

    async def turn() -> float:
        began.put_nowait(1)
        return FOREVER_SECONDS

    loop = Loop("test", turn)
    await loop.start()
    await began.get()
    loop.wake()
    await began.get()
    await loop.stop()


async def test_a_wake_during_a_step_is_not_lost() -> None:
    began: asyncio.Queue[int] = asyncio.Queue()
    may_end = asyncio.Event()

    async def turn() -> float:
        began.put_nowait(1)
        await may_end.wait()
        return FOREVER_SECONDS

    loop = Loop("test", turn)
    await loop.start()
    await began.get()
    loop.wake()
    may_end.set()
    await began.get()
    await loop.stop()


async def test_a_loop_continues_after_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.runtime.loop.BACK_OFF_FIRST_SECONDS", 0)
    outcomes = [RuntimeError("once"), OSError("twice"), None]
    recovered = asyncio.Event()

    async def turn() -> float:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        recovered.set()
        return FOREVER_SECONDS

    loop = Loop("test", turn)
    await loop.start()
    await recovered.wait()
    assert loop.is_live()
    await loop.stop()


async def test_a_stop_waits_for_the_running_step_and_starts_no_other() -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), list[str]()

    async def turn() -> float:
        began.set()
        await may_end.wait()
        ended.append("whole")
        return 0

    loop = Loop("test", turn)
    await loop.start()
    await began.wait()
    stopping = asyncio.create_task(loop.stop())
    may_end.set()
    await stopping
    assert ended == ["whole"]


async def test_a_stop_does_not_wait_for_a_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spreader.runtime.loop.BACK_OFF_FIRST_SECONDS", FOREVER_SECONDS)
    monkeypatch.setattr("spreader.runtime.loop.BACK_OFF_MAX_SECONDS", FOREVER_SECONDS)
    failed = asyncio.Event()

    async def turn() -> float:
        failed.set()
        raise RuntimeError

    loop = Loop("test", turn)
    await loop.start()
    await failed.wait()
    await loop.stop()


async def test_it_can_be_started_again_after_a_stop() -> None:
    began: asyncio.Queue[int] = asyncio.Queue()

    async def turn() -> float:
        began.put_nowait(1)
        return FOREVER_SECONDS

    loop = Loop("test", turn)
    for _ in range(2):
        await loop.start()
        await began.get()
        await loop.stop()
    assert began.empty()


async def test_a_step_that_never_ends_is_reported_as_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def turn() -> float:
        began.set()
        await may_end.wait()
        return FOREVER_SECONDS

    loop = Loop("test", turn)
    await loop.start()
    await began.wait()
    assert (loop.is_live(), loop.not_ready_reason()) == (True, None)
    monkeypatch.setattr("spreader.runtime.loop.STUCK_SECONDS", 0.0)
    assert not loop.is_live()
    assert "one step has been running" in (loop.not_ready_reason() or "")
    may_end.set()
    await loop.stop()
    assert loop.is_live()
