"""Collector: an OpenTelemetry collector that keeps the received spans for a test."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from local.process.ports import HOST


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """A received span. `parent` is empty for the first span of a trace."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    attributes: Mapping[str, str]


@dataclass
class Collector:
    spans: list[RecordedSpan] = field(default_factory=list[RecordedSpan])
    raw: list[bytes] = field(default_factory=list[bytes])
    """The bodies of all calls."""
    address: str = ""

    def trace_of(self, message_id: str) -> list[RecordedSpan]:
        """All spans of the trace that contains the message."""
        traces = {each.trace_id for each in self.spans if each.attributes.get("spreader.message_id") == message_id}
        assert len(traces) <= 1, f"{message_id} is in {len(traces)} traces"
        return [each for each in self.spans if each.trace_id in traces]

    async def on_export(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.raw.append(raw)
        for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    kind = span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
                    attributes = {each.key: each.value.string_value for each in span.attributes}
                    trace_id, span_id = span.trace_id.hex(), span.span_id.hex()
                    parent, service = span.parent_span_id.hex(), named["service.name"]
                    self.spans.append(RecordedSpan(service, span.name, kind, trace_id, span_id, parent, attributes))
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")


@asynccontextmanager
async def run_collector() -> AsyncGenerator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.on_export)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        collector.address = f"http://{HOST}:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()
