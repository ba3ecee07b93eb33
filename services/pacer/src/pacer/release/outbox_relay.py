"""Outbox relay: publishes each delivery's new state, and tries again until Kafka has it.

A delivery whose state is not published is a row with `announced = false`, so it survives a crash. The row is marked
after Kafka has the event. After a crash between these two steps, the event is published again with the same id, and its
consumers drop the repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from opentelemetry.trace import Span, SpanKind
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.outbound_events import UnpublishedDelivery, outbound_event
from pacer.sql import outbox as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.contract.events import DeliveryReleased, Event
from spreader.kafka.bus import Bus
from spreader.runtime.rows import fetched
from spreader.telemetry.tracing import NO_TRACING, SpanSpec, Tracing, closing, messaging_attributes, with_span

ROWS_MAX = 500
IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class QueueOutboxRelay:
    engine: AsyncEngine
    bus: Bus
    clock: Clock
    tracing: Tracing = NO_TRACING

    async def relay(self) -> float:
        """Publish one batch; returns the wall seconds until the next look."""
        async with self.engine.begin() as connection:
            deliveries = fetched(UnpublishedDelivery, await connection.execute(sql.UNPUBLISHED, {"rows": ROWS_MAX}))
            if not deliveries:
                return IDLE_SECONDS
            now = await system_now(connection, self.clock)
            events, spans = self._events(deliveries, now)
            with closing(spans):
                await self.bus.publish(*events)
            delivery_ids = [delivery.delivery_id for delivery in deliveries]
            await connection.execute(sql.MARK_PUBLISHED, {"delivery_ids": delivery_ids})
        return 0

    def _events(self, deliveries: Sequence[UnpublishedDelivery], now: datetime) -> tuple[list[Event], list[Span]]:
        """The events, and a span for each release. Other states get no span, because one cancellation may end thousands
        of deliveries."""
        events: list[Event] = [outbound_event(delivery, now) for delivery in deliveries]
        spans: list[Span] = []
        if self.tracing.on:
            for index, event in enumerate(events):
                if isinstance(event, DeliveryReleased):
                    spans.append(self.tracing.start_span(_release_span(event)))
                    events[index] = with_span(event, spans[-1])
        return events, spans


def _release_span(event: DeliveryReleased) -> SpanSpec:
    """A span in the trace of the delivery's intake. It is also linked to the intake's span, because the intake may be
    days ago."""
    held = {"spreader.held_seconds": round((event.released_at - event.requested_at).total_seconds())}
    name, attributes = f"send {event.topic}", {**messaging_attributes("send", event), **held}
    return SpanSpec(name, SpanKind.PRODUCER, event.traceparent, attributes, is_linked=True)
