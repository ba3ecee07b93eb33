"""Call permit: the permission that a send must get just before its request is written.

From the permit on, the delivery counts as possibly sent. The connection to the gateway is open before that, so only a
very short time passes between the permit and the request.
"""

from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from types import coroutine
from typing import Any, Protocol

import aiohttp
from aiohttp import ClientResponse
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection


class CallNotPermitted(Exception):
    """The request was not written. The text says why."""


class CallPermit(Protocol):
    async def get(self) -> None:
        """Returns when the request may be written. Raises `CallNotPermitted` if it must not be written."""
        ...


_PERMIT: ContextVar[CallPermit | None] = ContextVar("call permit", default=None)


@contextmanager
def requiring(permit: CallPermit) -> Generator[None]:
    """Inside this context, no HTTP request is written without the permit, neither by this task nor by the tasks that it
    creates. So a driver cannot forget to ask for the permit."""
    token = _PERMIT.set(permit)
    try:
        yield
    finally:
        _PERMIT.reset(token)


class PermittedRequest(aiohttp.ClientRequest):
    """A request that gets its permit, if it needs one, when its connection is open."""

    async def send(self, conn: Connection) -> ClientResponse:
        permit = _PERMIT.get()
        if permit is not None:
            await permit.get()
            if conn.protocol is None or not conn.protocol.connected:
                raise CallNotPermitted("the gateway closed the connection before the request was written")
        return await super().send(conn)

    def write_bytes(  # pyright: ignore[reportIncompatibleMethodOverride]: a coroutine of another class
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> Coroutine[Any, Any, None]:
        """Writes the request before it returns, so that nothing else runs between the permit and the request. With
        Python 3.12 or newer, aiohttp itself does so. With older versions, aiohttp only starts a task that writes
        later."""
        return _begun(super().write_bytes(writer, conn, content_length))


def _begun(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    """Runs a coroutine up to its first wait; returns a coroutine that runs the rest. If the coroutine raises an error,
    the returned one raises it."""
    try:
        waits_for = work.send(None)
    except StopIteration:
        return _rest(None, None)
    except BaseException as error:
        return _rest(None, error)
    return _rest(_continued(work, waits_for), None)


async def _rest(work: Any, error: BaseException | None) -> None:
    if error is not None:
        raise error
    if work is not None:
        await work


@coroutine
def _continued(work: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                waits_for = work.throw(error)
            else:
                waits_for = work.send(value)
    except StopIteration:
        return
