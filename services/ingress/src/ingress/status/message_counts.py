"""Message counts: the loop that counts the deliveries that were stored before the database kept counts of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.sql import status as sql
from ingress.sql.status import LackingCount, UncountedMessage
from spreader.runtime.retention import TAKE_TURN, Turn
from spreader.runtime.rows import arrays, fetched

COUNTED_MAX = 20_000
"""One step counts messages that together have at most this many recipients. It counts the first message even if that
message alone has more."""


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """If several instances run, only one counts at a time. Otherwise two instances could add the same deliveries to the
    counts."""

    engine: AsyncEngine

    async def count_uncounted(self, messages_max: int) -> int:
        """Count the deliveries of some messages. Before that, the deliveries of such a message are counted each time
        that somebody reads the message. Returns `messages_max` if there may be more messages to count."""
        async with self.engine.begin() as connection:
            (turn,) = fetched(Turn, await connection.execute(TAKE_TURN, {"table": "ingress.message_count"}))
            if not turn.is_mine:
                return 0
            messages = _first_of(
                fetched(UncountedMessage, await connection.execute(sql.UNCOUNTED, {"limit": messages_max}))
            )
            if messages:
                message_ids = [message.message_id for message in messages]
                lacking = fetched(LackingCount, await connection.execute(sql.LACKING, {"message_ids": message_ids}))
                await store(connection, message_ids, lacking)
        return messages_max if messages else 0


async def store(connection: AsyncConnection, message_ids: Sequence[str], lacking: Iterable[LackingCount]) -> None:
    """Add the deliveries that the counts of these messages lack. The caller has counted without locks, because counting
    may take long. So a message may have been deleted meanwhile. Such a message gets no counts."""
    marked = await connection.execute(sql.MARK_COUNTED, {"message_ids": message_ids})
    left = {row.message_id for row in marked}
    await connection.execute(sql.COUNTS_TURN)
    await connection.execute(sql.ADD_COUNTS, arrays(LackingCount, [row for row in lacking if row.message_id in left]))


def _first_of(messages: Sequence[UncountedMessage]) -> Sequence[UncountedMessage]:
    """The first messages that together have at most `COUNTED_MAX` recipients, but at least one message."""
    recipients = 0
    for index, message in enumerate(messages):
        recipients += message.recipients
        if index and recipients > COUNTED_MAX:
            return messages[:index]
    return messages
