"""Message retention: deletes old messages with their deliveries, piece by piece.

A message is old when `keep` has passed since its acceptance and since the last event about any of its deliveries. An
unfinished message is never old. One step removes old messages and notes their ids. Callers no longer see these
messages. The next steps delete the deliveries of the noted messages. A day later, another step looks for deliveries of
these messages again, because a late event may have stored one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.sql import retention as sql
from ingress.sql.retention import OldMessage, RemovedMessage
from ingress.sql.status import COUNTS_TURN
from spreader.clock import Now
from spreader.runtime.retention import BEGINNING, TAKE_TURN, Turn, age_seconds
from spreader.runtime.rows import fetched
from spreader.telemetry.metrics import DELETED_ROWS, OLDEST_ROW, OVERDUE_ROWS, from_zero

MESSAGES, DELIVERIES = "ingress.message", "ingress.delivery"
EXAMINED_MAX = 20_000
"""One step examines messages that together have at most this many recipients. It examines the first message even if
that message alone has more."""
LOOK_AGAIN_AFTER = timedelta(days=1)

for metric in (DELETED_ROWS, OLDEST_ROW, OVERDUE_ROWS):
    from_zero(metric, (MESSAGES, DELIVERIES))


@dataclass
class MessageRetention:
    """`keep`: how long a message is kept, in the system's time. If several instances run, only one deletes at a
    time."""

    engine: AsyncEngine
    now: Now
    keep: timedelta
    _after: tuple[datetime, str] = field(default=(BEGINNING, ""), init=False)
    """A walk examines all old messages, from the oldest to the newest. This is the last message that the present walk
    has examined. The next step begins behind it, because messages that are not removed would otherwise be examined
    again."""

    async def delete_old(self, rows_max: int) -> int:
        """Delete at most `rows_max` deliveries of removed messages. If there are no such messages, examine at most
        `rows_max` old messages. Returns `rows_max` if there may be more to do."""
        async with self.engine.begin() as connection:
            (turn,) = fetched(Turn, await connection.execute(TAKE_TURN, {"table": MESSAGES}))
            if not turn.is_mine:
                return 0
            if await self._delete_deliveries(connection, turn.now, rows_max):
                return rows_max
            return await self._remove_messages(connection, rows_max)

    async def _delete_deliveries(self, connection: AsyncConnection, now: datetime, rows_max: int) -> bool:
        """Delete deliveries of removed messages. Returns whether there were such messages. If there were, this
        transaction must not remove messages any more, because it may have written counts (migration 0018)."""
        due = fetched(RemovedMessage, await connection.execute(sql.REMOVED_MESSAGES, {"limit": rows_max}))
        message_ids = [message.message_id for message in due]
        params = {"message_ids": message_ids, "rows": rows_max}
        deleted = (await connection.execute(sql.DELETE_DELIVERIES, params)).rowcount if due else 0
        DELETED_ROWS.labels(DELIVERIES).inc(deleted)
        OVERDUE_ROWS.labels(DELIVERIES).set(age_seconds(due[0].due_at if due else None, now))
        if deleted < rows_max:
            done = [message.message_id for message in due if message.is_last_look]
            again = [message.message_id for message in due if not message.is_last_look]
            await connection.execute(sql.LOOK_AGAIN, {"message_ids": again, "again_after": LOOK_AGAIN_AFTER})
            if done:
                await connection.execute(COUNTS_TURN)
                await connection.execute(sql.FORGET_REMOVED, {"message_ids": done})
        return bool(due)

    async def _remove_messages(self, connection: AsyncConnection, rows_max: int) -> int:
        """Remove old messages. Returns `rows_max` if there may be more."""
        before = self.now() - self.keep
        params = {"after": self._after[0], "after_id": self._after[1], "before": before, "limit": rows_max}
        found = fetched(OldMessage, await connection.execute(sql.OLD_MESSAGES, params))
        examined = _first_of(found)
        oldest: datetime | None = (await connection.execute(sql.OLDEST_MESSAGE)).scalar_one_or_none()
        OLDEST_ROW.labels(MESSAGES).set(age_seconds(oldest, self.now()))
        if not examined:
            self._after = (BEGINNING, "")
            OVERDUE_ROWS.labels(MESSAGES).set(0)
            return 0
        removing = {"message_ids": [message.message_id for message in examined], "before": before}
        removed = (await connection.execute(sql.REMOVE_MESSAGES, removing)).rowcount
        DELETED_ROWS.labels(MESSAGES).inc(removed)
        self._after = (examined[-1].accepted_at, examined[-1].message_id)
        OVERDUE_ROWS.labels(MESSAGES).set(age_seconds(self._after[0], before))
        return rows_max


def _first_of(messages: Sequence[OldMessage]) -> Sequence[OldMessage]:
    """The first messages that together have at most `EXAMINED_MAX` recipients, but at least one message."""
    recipients = 0
    for index, message in enumerate(messages):
        recipients += message.recipients
        if index and recipients > EXAMINED_MAX:
            return messages[:index]
    return messages
