"""Exporter: sends spans to an OpenTelemetry collector in batches, from a thread of its own.

Spans wait in a bounded queue. When the queue is full, spans are dropped, so that no request or handler ever waits for
the collector.
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

QUEUE_SPANS_MAX = 4_096
BATCH_SPANS_MAX = 512
BATCH_WAIT_MS = 1_000
EXPORT_SECONDS = 5.0  # the limit for all tries of one batch together


def batch_processor(endpoint: str) -> SpanProcessor:
    """Sends spans in batches to `endpoint`: the collector's address, without `/v1/traces`."""
    return BatchSpanProcessor(
        OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS),
        max_queue_size=QUEUE_SPANS_MAX,
        schedule_delay_millis=BATCH_WAIT_MS,
        max_export_batch_size=BATCH_SPANS_MAX,
    )


def tracer_provider(service: str, instance: str | None, share: float, processor: SpanProcessor) -> TracerProvider:
    """`share`: the fraction (0 to 1) of new traces to sample. The caller of a request decides about its own trace."""
    attributes = {"service.namespace": "spreader", "service.name": service}
    if instance is not None:
        attributes["service.instance.id"] = instance
    provider = TracerProvider(
        ParentBased(TraceIdRatioBased(share)), Resource.create(attributes), shutdown_on_exit=False
    )
    provider.add_span_processor(processor)
    return provider
