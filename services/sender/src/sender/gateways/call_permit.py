"""Call permit: what a send must get just before its request is written.

The connection to the gateway is already open then. So the time in which a delivery counts as being at its gateway, but
is not, is as short as it can be.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import aiohttp
from aiohttp import ClientResponse
from aiohttp.connector import Connection


class CallNotPermitted(Exception):
    """The request was not written. The text says why."""


class CallPermit(Protocol):
    async def get(self) -> None:
        """Returns when the request may be written. Raises `CallNotPermitted`."""
        ...


_PERMIT: ContextVar[CallPermit | None] = ContextVar("call permit", default=None)


@contextmanager
def requiring(permit: CallPermit) -> Generator[None]:
    """Inside, no HTTP request of this task or of the tasks that it creates is written without the permit. A driver
    cannot forget to ask for it."""
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
