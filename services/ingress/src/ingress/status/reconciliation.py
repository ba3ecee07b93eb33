"""Books: what was accepted and has no end yet, by who has it.

What those say that they hold is held against it (decision 0027). Each instance looks at all of it: readers of the
metric take the greatest, not the sum.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.metrics import OUTBOX_OLDEST, OUTBOX_WAITING, UNSETTLED
from ingress.sql import reconciliation as sql
from spreader.clock import Clock

STOOD_FOR = timedelta(minutes=15)
"""Of the machine's time: what stands so long where it is should be found there."""
LOOK_BACK = timedelta(hours=24)
MESSAGES_MAX = 2_000
MISSING_MAX = 10_000
OUTBOX_EVERY_SECONDS = 5.0
EVERY_SECONDS = 15.0
SHARE_MAX = 20
"""A look that took long is repeated the later: at most a twentieth of the time is spent on it."""


@dataclass
class Books:
    """Messages are looked at once they are old enough; those with recipients whom nobody has taken, again and again."""

    engine: AsyncEngine
    clock: Clock
    _after: tuple[datetime, str] | None = field(default=None, init=False)
    _missing: dict[str, int] = field(default_factory=dict[str, int], init=False)

    async def outbox(self) -> float:
        async with self.engine.connect() as connection:
            row = (await connection.execute(sql.OUTBOX)).one()
        OUTBOX_WAITING.set(row.records)
        OUTBOX_OLDEST.set(row.oldest_seconds or 0)
        return OUTBOX_EVERY_SECONDS

    async def turn(self) -> float:
        began = time.monotonic()
        until = self.clock() - self.clock.system(STOOD_FOR)
        async with self.engine.connect() as connection:
            held = (await connection.execute(sql.UNSETTLED, {"until": until})).one()
            more = await self._look_for_missing(connection, until)
        UNSETTLED.labels("router").set(sum(self._missing.values()))
        UNSETTLED.labels("pacer").set(held.pacer)
        UNSETTLED.labels("sender").set(held.sender)
        taken = time.monotonic() - began
        return taken if more else max(EVERY_SECONDS, SHARE_MAX * taken)

    async def _look_for_missing(self, connection: AsyncConnection, until: datetime) -> bool:
        """Whether there are more messages to look at."""
        again = await connection.execute(sql.STILL, {"message_ids": list(self._missing)})
        self._missing = {row.message_id: row.missing for row in again if row.missing > 0}
        after, after_id = self._after or (until - self.clock.system(LOOK_BACK), "")
        asked = {"after": after, "after_id": after_id, "until": until, "limit": MESSAGES_MAX}
        rows = (await connection.execute(sql.ACCEPTED, asked)).all()
        for row in rows:
            if row.missing > 0 and len(self._missing) < MISSING_MAX:
                self._missing[row.message_id] = row.missing
        self._after = (rows[-1].accepted_at, rows[-1].message_id) if rows else (after, after_id)
        return len(rows) == MESSAGES_MAX
