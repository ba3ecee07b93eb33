"""Announcer: tells the others what became of deliveries, as long as it takes until Kafka has it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opentelemetry.trace import Span, SpanKind
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.outbound_events import Changed, news
from pacer.sql import queue as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.contract.events import DeliveryReleased, Event
from spreader.kafka.bus import Bus
from spreader.telemetry.tracing import OFF, Step, Tracing, closing, messaging, with_span

NEWS_ROWS_MAX = 500
IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class Announcer:
    """A delivery whose state has not been told is a row with `announced = false`: a crash leaves it to be found.

    It is marked after Kafka has it, so a crash in between tells it twice; the event's id is the same, readers drop it.
    """

    engine: AsyncEngine
    bus: Bus
    clock: Clock
    tracing: Tracing = OFF

    async def turn(self) -> float:
        async with self.engine.begin() as connection:
            rows = (await connection.execute(sql.NEWS, {"rows": NEWS_ROWS_MAX})).mappings().all()
            if not rows:
                return IDLE_SECONDS
            now = await system_now(connection, self.clock)
            changed = [_changed(row) for row in rows]
            events, spans = self._told(changed, now)
            with closing(spans):
                await self.bus.publish(*events)
            await connection.execute(sql.TOLD, {"delivery_ids": [each.delivery_id for each in changed]})
        return 0

    def _told(self, changed: Sequence[Changed], now: datetime) -> tuple[list[Event], list[Span]]:
        """The news; a span for each release, which the pace bounds, and none for what ends by thousands."""
        events: list[Event] = [news(each, now) for each in changed]
        spans: list[Span] = []
        if self.tracing.on:
            for place, event in enumerate(events):
                if isinstance(event, DeliveryReleased):
                    spans.append(self.tracing.begin(_releasing(event)))
                    events[place] = with_span(event, spans[-1])
        return events, spans


def _releasing(event: DeliveryReleased) -> Step:
    """Days after the span that took the delivery in: in its trace, and linked to it."""
    held = {"spreader.held_seconds": round((event.released_at - event.requested_at).total_seconds())}
    name, attributes = f"send {event.topic}", {**messaging("send", event), **held}
    return Step(name, SpanKind.PRODUCER, event.traceparent, attributes, is_linked=True)


def _changed(row: RowMapping) -> Changed:
    values: dict[str, Any] = {**row, "tried": tuple(row["tried"])}
    return Changed(**values)
