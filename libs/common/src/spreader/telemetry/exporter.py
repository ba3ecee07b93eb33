"""Otlp: where spans go: in batches, from a thread of their own, to a collector that stands in nobody's way.

What a collector does not take is dropped: first it waits in a queue with an end, so memory stays bounded.
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

QUEUE_SPANS_MAX = 4_096
BATCH_SPANS_MAX = 512
BATCH_WAIT_MS = 1_000
EXPORT_SECONDS = 5.0  # all tries of a batch together


def batches(endpoint: str) -> SpanProcessor:
    """`endpoint`: the collector's address, without a path for a kind of signal."""
    return BatchSpanProcessor(
        OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS),
        max_queue_size=QUEUE_SPANS_MAX,
        schedule_delay_millis=BATCH_WAIT_MS,
        max_export_batch_size=BATCH_SPANS_MAX,
    )


def provider(service: str, instance: str | None, share: float, processor: SpanProcessor) -> TracerProvider:
    """`share`: of the traces that begin here; of one that began elsewhere it was decided there."""
    named = {"service.namespace": "spreader", "service.name": service}
    if instance is not None:
        named["service.instance.id"] = instance
    made = TracerProvider(ParentBased(TraceIdRatioBased(share)), Resource.create(named), shutdown_on_exit=False)
    made.add_span_processor(processor)
    return made
