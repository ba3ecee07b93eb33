"""HTTP middleware: gives each request a span, in the caller's trace if there is one."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.trace import Span, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spreader.telemetry.traceparent import valid_traceparent
from spreader.telemetry.tracing import SpanSpec, Tracing, active, mark_failed, remote_span

UNTRACED = ("/health/", "/metrics")
"""Paths that get no span, because machines call them every few seconds."""


class TraceMiddleware:
    """ASGI middleware. With tracing off it still passes a caller's `traceparent` on to events."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        parent = _traceparent_of(scope["headers"])
        if self._tracing.on:
            await self._traced(scope, receive, send, parent)
        elif parent is not None:
            with active(remote_span(parent)):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, parent: str | None) -> None:
        method: str = scope["method"]
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with self._tracing.span(SpanSpec(method, SpanKind.SERVER, parent, attributes)) as span:

            async def send_noting_status(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _set_status(span, message["status"])
                await send(message)

            try:
                await self._app(scope, receive, send_noting_status)
            finally:
                _set_route(span, method, scope.get("route"))


def _traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The request's traceparent. None when it is missing or invalid, or occurs twice (W3C Trace Context)."""
    values = [value for name, value in headers if name == b"traceparent"]
    return valid_traceparent(values[0].decode("latin-1")) if len(values) == 1 else None


def _set_route(span: Span, method: str, route: Any) -> None:
    """Name the span after the declared route, because the path of the request may contain a phone number."""
    path = getattr(route, "path", None)
    if path is not None:
        span.update_name(f"{method} {path}")
        span.set_attribute("http.route", path)


def _set_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        mark_failed(span, str(status))
