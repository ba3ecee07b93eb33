"""Stalled reader: a connection is cut when nothing of its response was read for too long, and only then."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import uvicorn
from uvicorn.server import ServerState

from spreader.runtime.stalled_reader import protocol_with_stall_limit

SECONDS = 60.0


@dataclass
class FakeTimer:
    seconds: float
    callback: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class FakeLoop:
    """A loop whose timers a test ends."""

    timers: list[FakeTimer] = field(default_factory=list[FakeTimer])

    def call_later(self, seconds: float, callback: Callable[..., None], *values: object) -> FakeTimer:
        self.timers.append(FakeTimer(seconds, lambda: callback(*values)))
        return self.timers[-1]

    def end_timer(self) -> float:
        timer = self.timers.pop()
        if not timer.is_cancelled:
            timer.callback()
        return timer.seconds


@dataclass
class FakeTransport:
    unread: int = 100
    aborted: bool = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.aborted = True

    def get_extra_info(self, name: str) -> None:
        return None


async def _app(scope: object, receive: object, send: object) -> None: ...


def connection() -> tuple[asyncio.Protocol, FakeLoop, FakeTransport]:
    kind, loop, transport = protocol_with_stall_limit(SECONDS), FakeLoop(), FakeTransport()
    config = uvicorn.Config(_app, log_config=None, lifespan="off")
    protocol = kind(config=config, server_state=ServerState(), app_state={}, _loop=loop)  # type: ignore[call-arg]
    protocol.connection_made(transport)  # type: ignore[arg-type]
    return protocol, loop, transport


def test_a_reader_who_reads_slowly_is_not_cut() -> None:
    protocol, loop, transport = connection()
    protocol.pause_writing()
    for unread in range(99, 90, -1):
        transport.unread = unread
        assert loop.end_timer() == SECONDS
    assert not transport.aborted


def test_a_reader_who_reads_nothing_is_cut() -> None:
    protocol, loop, transport = connection()
    protocol.pause_writing()
    transport.unread = 50
    loop.end_timer()
    assert not transport.aborted
    loop.end_timer()
    assert transport.aborted


def test_nothing_is_measured_while_the_buffer_has_room() -> None:
    protocol, loop, transport = connection()
    protocol.pause_writing()
    protocol.resume_writing()
    loop.end_timer()
    assert (transport.aborted, loop.timers) == (False, [])
