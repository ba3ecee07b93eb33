"""Stopper: ends held deliveries, piece by piece, after a cancellation or because the recipient's consent forbids them.

A piece is a transaction that ends at most PIECE_ROWS deliveries. It holds no lock that an intake or another package's
release waits for. Its progress is stored with its effects, so any process continues after a crash.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.core.stop_progress import CancellationProgress, ExaminedDelivery, cancellation_progress
from pacer.metrics import ENDED
from pacer.sql import stops
from spreader.runtime.rows import arrays, fetched

PIECE_ROWS = 500
"""The most deliveries that one transaction ends."""
MESSAGES_A_PIECE = 20
IDLE_SECONDS = 3.0
LOCKED_SECONDS = 0.01
"""The pause when other transactions have locked all deliveries that are to be ended."""


@dataclass(frozen=True)
class Stopper:
    engine: AsyncEngine
    wake_relay: Callable[[], None]

    async def end_piece(self) -> float:
        """End one piece of the cancelled deliveries and one piece of the suppressed deliveries; returns the wall
        seconds until the next call."""
        pauses = [await self._cancel(), await self._suppress()]
        if 0 in pauses:
            self.wake_relay()
        return min(pauses)

    async def _cancel(self) -> float:
        async with self.engine.begin() as connection:
            params = {"messages": MESSAGES_A_PIECE, "rows": PIECE_ROWS}
            page = fetched(ExaminedDelivery, await connection.execute(stops.CANCELLED_DELIVERIES, params))
            if not page:
                return IDLE_SECONDS
            held = [
                stops.DeliveryEnd(row.delivery_id, "cancelled", stops.CANCELLED)
                for row in page
                if row.is_held and row.delivery_id is not None
            ]
            ended = await end_held(connection, held)
            progress = cancellation_progress(page, ended, PIECE_ROWS)
            await connection.execute(stops.CANCELLATION_ADVANCE, arrays(CancellationProgress, progress))
        return LOCKED_SECONDS if held and not ended else 0

    async def _suppress(self) -> float:
        async with self.engine.begin() as connection:
            result = await connection.execute(stops.STOPPED_RECIPIENTS, {"rows": PIECE_ROWS})
            recipients = fetched(stops.StoppedRecipient, result)
            if not recipients:
                return IDLE_SECONDS
            params = arrays(stops.StoppedRecipient, recipients)
            result = await connection.execute(stops.STOPPED_DELIVERIES, {**params, "rows": PIECE_ROWS})
            held = {row.delivery_id: row.reason for row in fetched(stops.StoppedDelivery, result)}
            ends = [stops.DeliveryEnd(delivery_id, "suppressed", reason) for delivery_id, reason in held.items()]
            ended = await end_held(connection, ends)
            done = (await connection.execute(stops.STOPPED_RECIPIENT_DONE, params)).rowcount
        return 0 if ended or done else LOCKED_SECONDS


async def end_held(connection: AsyncConnection, ends: Iterable[stops.DeliveryEnd]) -> frozenset[str]:
    """End the deliveries that are still held and not locked; returns their ids."""
    listed = list(ends)
    if not listed:
        return frozenset()
    rows = (await connection.execute(stops.DELIVERY_END, arrays(stops.DeliveryEnd, listed))).scalars().all()
    ENDED.labels(listed[0].state).inc(len(rows))
    return frozenset(rows)
