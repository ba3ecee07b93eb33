"""Traced: the layer of an HTTP server that gives each request a span, in the trace of whoever calls."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.trace import Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spreader.telemetry.traceparent import valid_traceparent
from spreader.telemetry.tracing import Step, Tracing, at, fail, unrecorded

QUIET = ("/health/", "/metrics")
"""Machines ask these all the time."""


class TraceMiddleware:
    """An ASGI layer. With tracing off it only hears a caller's `traceparent`, for the events to carry on."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            await self._app(scope, receive, send)
            return
        parent = _said(scope["headers"])
        if self._tracing.on:
            await self._traced(scope, receive, send, parent)
        elif parent is not None:
            with at(unrecorded(parent)):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, parent: str | None) -> None:
        method: str = scope["method"]
        asked = Step(method, SpanKind.SERVER, parent, {"http.request.method": method, "url.scheme": scope["scheme"]})
        with self._tracing.within(asked) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, answer)
            finally:
                _name(span, method, scope.get("route"))


def _said(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Two of them are none, as W3C says."""
    said = [value for name, value in headers if name == b"traceparent"]
    return valid_traceparent(said[0].decode("latin-1")) if len(said) == 1 else None


def _name(span: Span, method: str, route: Any) -> None:
    """After the address as it is declared: the one that was asked for may hold a phone number."""
    path = getattr(route, "path", None)
    if path is not None:
        span.update_name(f"{method} {path}")
        span.set_attribute("http.route", path)


def _note(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        fail(span, str(status))
