"""Stalled reader: an HTTP client that reads nothing of its response for too long. Its connection is cut.

Without a limit, such a client would keep its request, and whatever the request uses, for ever.
"""

import asyncio
from typing import ClassVar

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from spreader.telemetry.metrics import STALLED_READERS

log = structlog.get_logger()


class _StallLimitProtocol(HttpToolsProtocol):
    """Measures while more waits to be sent than the transport wants to buffer. In this time uvicorn writes nothing, so
    the buffer only shrinks, and only if the client reads."""

    stall_seconds: ClassVar[float]
    _next_look: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look_later(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_looking()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        super().connection_lost(exc)

    def _look_later(self, unread: int) -> None:
        self._next_look = self.loop.call_later(self.stall_seconds, self._look, unread)

    def _look(self, unread_before: int) -> None:
        unread = self.transport.get_write_buffer_size()
        if unread < unread_before:
            self._look_later(unread)
            return
        log.warning("a client has read nothing of its response for too long; cutting the connection")
        STALLED_READERS.inc()
        self.transport.abort()  # not `close`, which would wait until the client reads again

    def _stop_looking(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()


def protocol_with_stall_limit(seconds: float) -> type[asyncio.Protocol]:
    """The protocol for uvicorn. If a client reads nothing, its connection is cut after `seconds` to twice `seconds`."""

    class Protocol(_StallLimitProtocol):
        stall_seconds = seconds

    return Protocol
