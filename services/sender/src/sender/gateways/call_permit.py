"""Call permit: the permission that a send must get just before its request is written.

From the permit on, the delivery counts as possibly sent. The connection to the gateway is open before that, so only a
very short time passes between the permit and the request.
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
