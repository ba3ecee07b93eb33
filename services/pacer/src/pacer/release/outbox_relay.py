"""Outbox relay: publishes each delivery's new state, and tries again until Kafka has it.

A delivery whose state is not published is a row with `announced = false`, so it survives a crash. The row is marked
after Kafka has the event. After a crash between these two steps, the event is published again with the same id, and its
consumers drop the repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from opentelemetry.trace import Span, SpanKind
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.outbound_events import UnpublishedDelivery, failed_event, outbound_event
from pacer.metrics import UNPUBLISHABLE
from pacer.sql import outbox as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.contract.events import DeliveryOutcome, DeliveryReleased, Event
from spreader.kafka.bus import Bus, RecordsRefused
from spreader.runtime.rows import fetched
from spreader.telemetry.tracing import NO_TRACING, SpanSpec, Tracing, closing, messaging_attributes, with_span

log = structlog.get_logger()

ROWS_MAX = 500
IDLE_SECONDS = 3.0


@dataclass(frozen=True)
class QueueOutboxRelay:
    """If the event of a delivery cannot be built, or if Kafka refuses it for good, the delivery ends as failed. So it
    holds up no other deliveries, and its release is settled."""

    engine: AsyncEngine
    bus: Bus
    failures: Bus
    """Publishes the outcomes of deliveries that end as failed. An outcome that Kafka refuses becomes a dead letter."""
    clock: Clock
    tracing: Tracing = NO_TRACING

    async def relay(self) -> float:
        """Publish one batch; returns the wall seconds until the next look."""
        async with self.engine.begin() as connection:
            deliveries = fetched(UnpublishedDelivery, await connection.execute(sql.UNPUBLISHED, {"rows": ROWS_MAX}))
            if not deliveries:
                return IDLE_SECONDS
            now = await system_now(connection, self.clock)
            await self._publish(deliveries, now)
            delivery_ids = [delivery.delivery_id for delivery in deliveries]
            await connection.execute(sql.MARK_PUBLISHED, {"delivery_ids": delivery_ids})
        return 0

    async def _publish(self, deliveries: Sequence[UnpublishedDelivery], now: datetime) -> None:
        pairs, failures = _events(deliveries, now)
        events, spans = self._traced([event for _, event in pairs])
        with closing(spans):
            try:
                await self.bus.publish(*events)
            except RecordsRefused as error:
                for record in error.refused:
                    delivery, event = pairs[record.index]
                    is_end = isinstance(event, DeliveryOutcome)
                    failures.append(event if is_end else _failure(delivery, f"Kafka: {record.reason}", now))
        await self.failures.publish(*filter(None, failures))

    def _traced(self, events: list[Event]) -> tuple[list[Event], list[Span]]:
        """The events, and a span for each release. Other events get no span, because one cancellation may end thousands
        of deliveries."""
        spans: list[Span] = []
        if self.tracing.on:
            for index, event in enumerate(events):
                if isinstance(event, DeliveryReleased):
                    spans.append(self.tracing.start_span(_release_span(event)))
                    events[index] = with_span(event, spans[-1])
        return events, spans


def _events(
    deliveries: Sequence[UnpublishedDelivery], now: datetime
) -> tuple[list[tuple[UnpublishedDelivery, Event]], list[Event | None]]:
    """The deliveries with their events; and, in a second list, the outcomes `failed` of the deliveries whose event
    cannot be built, because the row is wrong. An outcome is None if it cannot be built either."""
    pairs: list[tuple[UnpublishedDelivery, Event]] = []
    failures: list[Event | None] = []
    for delivery in deliveries:
        try:
            pairs.append((delivery, outbound_event(delivery, now)))
        except (ValueError, AssertionError) as error:
            failures.append(_failure(delivery, f"no event can be made of it ({type(error).__name__})", now))
    return pairs, failures


def _failure(delivery: UnpublishedDelivery, reason: str, now: datetime) -> DeliveryOutcome | None:
    """The outcome `failed` of the delivery. None if the row lacks even the fields of an outcome."""
    UNPUBLISHABLE.inc()
    log.error(
        "a delivery's event cannot be published; the delivery ends as failed",
        delivery_id=delivery.delivery_id,
        state=delivery.state,
        reason=reason,
    )
    try:
        return failed_event(delivery, reason, now)
    except ValueError:
        return None


def _release_span(event: DeliveryReleased) -> SpanSpec:
    """A span in the trace of the delivery's intake. It is also linked to the intake's span, because the intake may be
    days ago."""
    held = {"spreader.held_seconds": round((event.released_at - event.requested_at).total_seconds())}
    name, attributes = f"send {event.topic}", {**messaging_attributes("send", event), **held}
    return SpanSpec(name, SpanKind.PRODUCER, event.traceparent, attributes, is_linked=True)
