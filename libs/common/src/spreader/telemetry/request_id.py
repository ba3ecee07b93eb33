"""Request id: names one HTTP request in its response, in its problem and in the log lines that it causes."""

import re

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spreader.clock import wall_now
from spreader.contract.ids import new_id

HEADER = b"x-request-id"
_KEY = "request_id"
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """ASGI middleware. A caller may choose the id with `X-Request-Id`, so that its own logs have the same id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        request_id = given.decode() if _GIVEN.fullmatch(given) else new_id("req", wall_now())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (HEADER, request_id.encode())]}
            await send(message)

        with structlog.contextvars.bound_contextvars(**{_KEY: request_id}):
            await self._app(scope, receive, send_with_id)


def current_request_id() -> str:
    """The id of the request that this task works on, or a new id outside a request."""
    return structlog.contextvars.get_contextvars().get(_KEY) or new_id("req", wall_now())
