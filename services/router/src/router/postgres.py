"""Routing store: the router's decisions, round cursors and conversations in Postgres, with all its statements."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from router.core.conversations import Conversation, ConversationKey, merge
from router.core.routing import RecordKey, Routing
from spreader.contract.configuration import Distribution
from spreader.contract.events import Event
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.runtime.rows import arrays, column, columns, fetched, unnest

E = TypeVar("E", bound=Event)

KEPT = "8 days"
"""Longer than a record stays in its topic, so that no decision is made twice when a topic is read from its start."""
HISTORY_ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class RecordKeyRow:
    message_id: str
    first_index: int = column("int")


@dataclass(frozen=True, slots=True)
class RoutingRow:
    message_id: str
    first_index: int
    strategy: Distribution
    package_version: int
    profiles: list[str]
    passed_over: str
    refused: str | None
    reasons: str
    suppressed: str
    assigned_at: datetime | None

    @classmethod
    def of(cls, routing: Routing) -> "RoutingRow":
        return cls(
            routing.message_id,
            routing.first_index,
            routing.strategy,
            routing.package_version,
            list(routing.profiles),
            json.dumps(dict(routing.passed_over)),
            routing.refused,
            json.dumps(dict(routing.reasons)),
            json.dumps(dict(routing.suppressed)),
            routing.assigned_at,
        )

    @property
    def routing(self) -> Routing:
        return Routing(
            self.message_id,
            self.first_index,
            self.strategy,
            self.package_version,
            tuple(self.profiles),
            json.loads(self.passed_over),
            self.refused,
            json.loads(self.reasons),
            json.loads(self.suppressed),
            self.assigned_at,
        )


@dataclass(frozen=True, slots=True)
class CursorRow:
    package_id: str
    next: int


@dataclass(frozen=True, slots=True)
class ConversationKeyRow:
    package_id: str
    recipient: str


@dataclass(frozen=True, slots=True)
class NewConversationRow:
    package_id: str
    recipient: str
    profile_id: str


@dataclass(frozen=True, slots=True)
class NewMoveRow:
    package_id: str
    recipient: str
    profile_id: str
    at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class ConversationMove:
    """From `at` on the customer talked to this profile."""

    profile_id: str
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class RoutingStore:
    engine: AsyncEngine

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.engine.begin()

    async def routings(self, connection: AsyncConnection, keys: Sequence[RecordKey]) -> dict[RecordKey, Routing]:
        """The stored decisions on these records."""
        parameters = arrays(RecordKeyRow, [RecordKeyRow(*key) for key in keys])
        rows = fetched(RoutingRow, await connection.execute(_ROUTINGS, parameters))
        return {(row.message_id, row.first_index): row.routing for row in rows}

    async def routing_of(self, connection: AsyncConnection, message_id: str, index: int) -> Routing | None:
        """The decision on the record that contains the delivery with this index in the message."""
        parameters = {"message_id": message_id, "index": index}
        rows = fetched(RoutingRow, await connection.execute(_ROUTING_OF, parameters))
        return rows[0].routing if rows else None

    async def cursor(self, connection: AsyncConnection, package: str) -> int:
        """Where the package's next round begins."""
        return (await connection.execute(_CURSOR, {"package": package})).scalar_one_or_none() or 0

    async def lock_cursors(self, connection: AsyncConnection, packages: Sequence[str]) -> dict[str, int]:
        """Where each package's next round begins; locked, so that concurrent requests share one round."""
        await connection.execute(_CURSOR_ENSURE, {"packages": sorted(set(packages))})
        rows = fetched(CursorRow, await connection.execute(_CURSOR_LOCK, {"packages": sorted(set(packages))}))
        return {row.package_id: row.next for row in rows}

    async def save(self, connection: AsyncConnection, routings: Sequence[Routing], cursors: Mapping[str, int]) -> None:
        if routings:
            rows = [asdict(RoutingRow.of(routing)) for routing in routings]
            await connection.execute(_ROUTING_INSERT, rows)
        cursor_rows = [CursorRow(package, cursor) for package, cursor in cursors.items()]
        await connection.execute(_CURSOR_SAVE, arrays(CursorRow, cursor_rows))

    async def conversations(
        self, connection: AsyncConnection, keys: Sequence[ConversationKey]
    ) -> dict[ConversationKey, Conversation]:
        rows = fetched(Conversation, await connection.execute(_CONVERSATIONS, _key_arrays(keys)))
        return {conversation.key: conversation for conversation in rows}

    async def begin_conversations(self, connection: AsyncConnection, conversations: Sequence[Conversation]) -> None:
        """Store new conversations; one that exists already stays as it is."""
        rows = [
            NewConversationRow(conversation.package_id, conversation.recipient, conversation.profile_id)
            for conversation in conversations
        ]
        await connection.execute(_CONVERSATION_ENSURE, arrays(NewConversationRow, rows))

    async def track(
        self,
        deduplicator: Deduplicator,
        batch: Sequence[Received[E]],
        conversations_of: Callable[[Sequence[E]], Sequence[Conversation]],
        binds_for: Mapping[str, timedelta],
    ) -> None:
        """Merge the conversations of a batch into the stored ones; a repeated batch changes nothing.

        `binds_for`: by package, how long a conversation binds after its last message.
        """
        if not conversations_of([record.event for record in batch]):
            return  # most outcomes concern no conversation, and cost no transaction
        async with self.begin() as connection:
            new = await deduplicator.unseen(connection, batch)
            conversations = conversations_of([record.event for record in new])
            if not conversations:
                return
            await self.begin_conversations(connection, conversations)
            keys = [conversation.key for conversation in conversations]
            await connection.execute(_CONVERSATIONS_LOCK, _key_arrays(keys))
            known = await self.conversations(connection, keys)
            merged = [
                merge(known[conversation.key], conversation, binds_for[conversation.package_id])
                for conversation in conversations
            ]
            await self._save_moves(connection, [known[key] for key in keys], merged)
            await connection.execute(_CONVERSATION_SAVE, arrays(Conversation, merged))

    async def history(self, connection: AsyncConnection, package_id: str, recipient: str) -> Sequence[ConversationMove]:
        """The profiles that a recipient has talked to, the latest first."""
        parameters = {"package_id": package_id, "recipient": recipient, "rows": HISTORY_ROWS_MAX}
        return fetched(ConversationMove, await connection.execute(_MOVES, parameters))

    async def _save_moves(
        self, connection: AsyncConnection, before: Sequence[Conversation], after: Sequence[Conversation]
    ) -> None:
        pairs = zip(before, after, strict=True)
        moved = [new for old, new in pairs if old.last_at is None or old.profile_id != new.profile_id]
        if moved:
            rows = [
                NewMoveRow(
                    conversation.package_id,
                    conversation.recipient,
                    conversation.profile_id,
                    conversation.last_at,
                    "the customer wrote" if conversation.customer_at else "we wrote",
                )
                for conversation in moved
            ]
            await connection.execute(_MOVE_INSERT, arrays(NewMoveRow, rows))

    async def delete_old(self, rows_max: int) -> int:
        """Delete at most `rows_max` decisions that no record can repeat any more; returns the number."""
        async with self.begin() as connection:
            return (await connection.execute(_ROUTING_DELETE, {"rows": rows_max})).rowcount


def _key_arrays(keys: Sequence[ConversationKey]) -> dict[str, list[str]]:
    return arrays(ConversationKeyRow, [ConversationKeyRow(*key) for key in keys])


_ROUTING_COLUMNS = ", ".join(f"routing.{name}" for name in columns(RoutingRow).split(", "))
_CONVERSATION_COLUMNS = ", ".join(f"conversation.{name}" for name in columns(Conversation).split(", "))

_ROUTINGS = text(f"""
SELECT {_ROUTING_COLUMNS} FROM router.routing
JOIN {unnest(RecordKeyRow, "wanted")} USING (message_id, first_index)""")

_ROUTING_OF = text(f"""
SELECT {_ROUTING_COLUMNS} FROM router.routing WHERE message_id = :message_id AND first_index <= :index
ORDER BY first_index DESC LIMIT 1""")

_ROUTING_INSERT = text(f"""
INSERT INTO router.routing ({columns(RoutingRow)})
VALUES ({", ".join(f":{name}" for name in columns(RoutingRow).split(", "))})""")

_ROUTING_DELETE = text(f"""
DELETE FROM router.routing WHERE (message_id, first_index) IN (
    SELECT message_id, first_index FROM router.routing
    WHERE noted_at < clock_timestamp() - interval '{KEPT}' ORDER BY noted_at LIMIT :rows)""")

_CURSOR_ENSURE = text("""
INSERT INTO router.cursor (package_id, next) SELECT unnest(CAST(:packages AS text[])), 0 ON CONFLICT DO NOTHING""")

_CURSOR_LOCK = text(f"""
SELECT {columns(CursorRow)} FROM router.cursor WHERE package_id = ANY (CAST(:packages AS text[]))
ORDER BY package_id FOR UPDATE""")

_CURSOR = text("SELECT next FROM router.cursor WHERE package_id = :package")

_CURSOR_SAVE = text(f"""
UPDATE router.cursor SET next = saved.next FROM {unnest(CursorRow, "saved")}
WHERE cursor.package_id = saved.package_id""")

_KEYS = unnest(ConversationKeyRow, "wanted")

_CONVERSATIONS = text(f"""
SELECT {_CONVERSATION_COLUMNS} FROM router.conversation JOIN {_KEYS} USING (package_id, recipient)""")

_CONVERSATIONS_LOCK = text(f"""
SELECT 1 FROM router.conversation JOIN {_KEYS} USING (package_id, recipient)
ORDER BY conversation.package_id, conversation.recipient FOR UPDATE OF conversation""")

_CONVERSATION_ENSURE = text(f"""
INSERT INTO router.conversation ({columns(NewConversationRow)})
SELECT {columns(NewConversationRow)} FROM {unnest(NewConversationRow, "new")}
ON CONFLICT DO NOTHING""")

_CONVERSATION_SAVE = text(f"""
UPDATE router.conversation
SET profile_id = saved.profile_id, customer_at = saved.customer_at, sent_at = saved.sent_at
FROM {unnest(Conversation, "saved")}
WHERE conversation.package_id = saved.package_id AND conversation.recipient = saved.recipient""")

_MOVES = text(f"""
SELECT {columns(ConversationMove)} FROM router.conversation_move
WHERE package_id = :package_id AND recipient = :recipient ORDER BY at DESC LIMIT :rows""")

_MOVE_INSERT = text(f"""
INSERT INTO router.conversation_move ({columns(NewMoveRow)})
SELECT {columns(NewMoveRow)} FROM {unnest(NewMoveRow, "new")}
ON CONFLICT DO NOTHING""")
