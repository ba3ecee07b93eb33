"""HTTP middleware: each request is a span in its caller's trace, named by the route and never by the path."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.trace import SpanKind, StatusCode

from spreader.telemetry.http_middleware import TraceMiddleware
from spreader.telemetry.tracing import NO_TRACING, Tracing, current_traceparent
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Headers = Sequence[tuple[bytes, bytes]]


@pytest.fixture
async def memory() -> AsyncGenerator[RecordedSpans]:
    async with recording_spans() as memory:
        yield memory


class Server:
    """An application that returns the traceparent with which it was called."""

    def __init__(self, tracing: Tracing) -> None:
        self.places: list[str | None] = []
        self.app = FastAPI()
        self.app.add_api_route("/people/{number}", self._answer, methods=["GET"])
        self.app.add_api_route("/health/live", self._answer)
        self.app.add_api_route("/broken", self._break)
        self.app.add_middleware(TraceMiddleware, tracing=tracing)

    async def _answer(self) -> str:
        self.places.append(current_traceparent())
        return "here"

    async def _break(self) -> None:
        raise ValueError("201001234567 cannot be read")

    async def ask(self, path: str, *said: str) -> int:
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers: Headers = [(b"host", b"test"), *((b"traceparent", each.encode()) for each in said)]
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": headers,
            "query_string": b"to=201001234567",
            "root_path": "",
            "scheme": "http",
        }
        await self.app(scope, receive, send)
        return sent[0]["status"]


async def test_a_request_is_a_span_in_the_trace_of_its_caller(memory: RecordedSpans) -> None:
    server = Server(memory.tracing)
    assert await server.ask("/people/201001234567", CALLER) == 200
    (span,) = memory.spans
    assert (span.name, span.kind) == ("GET /people/{number}", SpanKind.SERVER)
    assert parent_traceparent_of(span) == CALLER
    assert server.places == [traceparent_of(span)]
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": "/people/{number}",
        "http.response.status_code": 200,
    }
    assert "201001234567" not in span.to_json()


@pytest.mark.parametrize("said", [(), ("nonsense",), (CALLER, CALLER)], ids=["nothing", "nonsense", "two of them"])
async def test_a_request_without_a_valid_traceparent_starts_a_new_trace(
    memory: RecordedSpans, said: tuple[str, ...]
) -> None:
    await Server(memory.tracing).ask("/people/1", *said)
    (span,) = memory.spans
    assert span.parent is None


async def test_not_found_and_server_errors_are_distinguished(memory: RecordedSpans) -> None:
    server = Server(memory.tracing)
    assert await server.ask("/nowhere/201001234567") == 404
    with pytest.raises(ValueError, match="cannot be read"):
        await server.ask("/broken")
    missing, broken = memory.spans
    assert (missing.name, missing.status.status_code) == ("GET", StatusCode.UNSET)
    assert (broken.name, broken.status.status_code) == ("GET /broken", StatusCode.ERROR)
    assert "201001234567" not in missing.to_json() + broken.to_json()


async def test_health_checks_leave_no_spans(memory: RecordedSpans) -> None:
    assert await Server(memory.tracing).ask("/health/live", CALLER) == 200
    assert not memory.spans


async def test_with_tracing_off_the_callers_trace_is_passed_on() -> None:
    server = Server(NO_TRACING)
    await server.ask("/people/1", CALLER)
    await server.ask("/people/1", "nonsense")
    await server.ask("/people/1")
    assert server.places == [CALLER, None, None]
