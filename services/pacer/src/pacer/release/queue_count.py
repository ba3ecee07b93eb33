"""Queue count: sets the gauges of the held deliveries. It counts them piece by piece, with pauses."""

import time
from dataclasses import asdict, dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.waiting_queue import PREFIX
from pacer.metrics import DUE, HELD, WAITING
from pacer.sql import maintenance as sql
from pacer.sql.database_clock import system_now
from pacer.sql.maintenance import QueuePlace
from spreader.clock import Clock
from spreader.runtime.rows import fetched

PIECE_ROWS_MAX = 10_000
EVERY_SECONDS = 5.0
PAUSE_FACTOR = 20
"""The pause after a piece is this many times as long as its count took."""


@dataclass
class QueueCounter:
    """A delivery that moves in the queue during a count may be counted twice or not at all. The alert that uses the
    counts therefore takes the largest count of the last 5 minutes."""

    engine: AsyncEngine
    clock: Clock
    piece_rows_max: int = PIECE_ROWS_MAX
    _place: QueuePlace = field(default=QueuePlace(), init=False)
    _held: int = field(default=0, init=False)
    _due: int = field(default=0, init=False)
    _waiting: int = field(default=0, init=False)

    async def count(self) -> float:
        """Count a piece. After the last piece, set the gauges. Returns the wall seconds until the next piece."""
        began = time.monotonic()
        async with self.engine.begin() as connection:
            await connection.execute(sql.IN_QUEUE_ORDER)
            now = await system_now(connection, self.clock)
            params = {**asdict(self._place), "now": now, "waiting": PREFIX, "rows": self.piece_rows_max}
            (piece,) = fetched(sql.QueueCount, await connection.execute(sql.QUEUE_COUNT, params))
        self._held, self._due, self._waiting = (
            self._held + piece.held,
            self._due + piece.due,
            self._waiting + piece.waiting,
        )
        pause = PAUSE_FACTOR * (time.monotonic() - began)
        if piece.last is not None:
            self._place = piece.last
            return pause
        HELD.set(self._held)
        DUE.set(self._due)
        WAITING.set(self._waiting)
        self._place, self._held, self._due, self._waiting = QueuePlace(), 0, 0, 0
        return max(EVERY_SECONDS, pause)
