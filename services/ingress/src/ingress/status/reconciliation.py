"""Reconciliation: counts deliveries that have been unfinished for too long, by the service that should have them.

An alert compares these counts with what each service reports (docs/decisions/0039). Every instance counts all
deliveries. So readers of the metric must take the maximum over all instances and not the sum.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.metrics import OUTBOX_OLDEST, OUTBOX_WAITING, UNSETTLED
from ingress.sql import reconciliation as sql
from ingress.sql.reconciliation import MessageGap, OutboxBacklog, UnfinishedDeliveries
from spreader.clock import Clock
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched

UNCHANGED_FOR = timedelta(minutes=15)
"""A delivery is counted if it has made no progress for this long, in wall time."""
LOOK_BACK = timedelta(hours=24)
"""The first run after a start reads the messages that were accepted in a time span of this length. The span ends
`UNCHANGED_FOR` before the run."""
MESSAGES_MAX = 2_000
"""The most new messages that a run reads."""
INCOMPLETE_MAX = 10_000
"""The most messages with missing deliveries that an instance remembers. It does not count further messages."""
OUTBOX_EVERY_SECONDS = 5.0
EVERY_SECONDS = 15.0
PAUSE_FACTOR = 20
"""The pause after a run is at least this many times as long as the run. So runs take less than 1/20 of the time.

While there are more messages to read, the pause is only as long as the run.
"""


@dataclass
class Reconciliation:
    """Reads each message once, when it is older than `UNCHANGED_FOR`.

    A message with missing deliveries is read again in every run until no delivery is missing.
    """

    engine: AsyncEngine
    clock: Clock
    _after: tuple[datetime, str] | None = field(default=None, init=False)
    _missing: dict[str, int] = field(default_factory=dict[str, int], init=False)
    """For each message id, the number of recipients for whom the ingress has no delivery. Usually the router has not
    handled these recipients yet, so there is no event about their deliveries."""

    async def measure_outbox(self) -> float:
        """Sets the metrics of the outbox. Returns the seconds until the next run."""
        async with autocommit(self.engine) as connection:
            (backlog,) = fetched(OutboxBacklog, await connection.execute(sql.OUTBOX))
        OUTBOX_WAITING.set(backlog.records)
        OUTBOX_OLDEST.set(backlog.oldest_seconds or 0)
        return OUTBOX_EVERY_SECONDS

    async def count_unfinished(self) -> float:
        """Sets the metric of unfinished deliveries. Returns the seconds until the next run."""
        began = time.monotonic()
        until = self.clock() - self.clock.system(UNCHANGED_FOR)
        async with autocommit(self.engine) as connection:
            (unfinished,) = fetched(UnfinishedDeliveries, await connection.execute(sql.UNFINISHED, {"until": until}))
            has_more = await self._find_missing(connection, until)
        UNSETTLED.labels("router").set(sum(self._missing.values()))
        UNSETTLED.labels("pacer").set(unfinished.pacer)
        UNSETTLED.labels("sender").set(unfinished.sender)
        seconds = time.monotonic() - began
        return seconds if has_more else max(EVERY_SECONDS, PAUSE_FACTOR * seconds)

    async def _find_missing(self, connection: AsyncConnection, until: datetime) -> bool:
        """Updates the missing deliveries. Returns whether there are more messages to read."""
        result = await connection.execute(sql.GAPS_OF, {"message_ids": list(self._missing)})
        self._missing = {gap.message_id: gap.missing for gap in fetched(MessageGap, result) if gap.missing > 0}
        after, after_id = self._after or (until - self.clock.system(LOOK_BACK), "")
        params = {"after": after, "after_id": after_id, "until": until, "limit": MESSAGES_MAX}
        gaps = fetched(MessageGap, await connection.execute(sql.GAPS_AFTER, params))
        for gap in gaps:
            if gap.missing > 0 and len(self._missing) < INCOMPLETE_MAX:
                self._missing[gap.message_id] = gap.missing
        self._after = (gaps[-1].accepted_at, gaps[-1].message_id) if gaps else (after, after_id)
        return len(gaps) == MESSAGES_MAX
