"""Store: what the router remembers, and every statement that it runs."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from router.core.conversations import Conversation, merge
from router.core.routing import Routing
from spreader.contract.events import Event
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator

E = TypeVar("E", bound=Event)

KEPT = "8 days"  # longer than any record stays in its topic: a log read again from its beginning routes nothing anew

HISTORY_ROWS_MAX = 100

Chunk = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ConversationMove:
    """From `at` on a customer talked to this profile."""

    profile_id: str
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class RoutingStore:
    engine: AsyncEngine

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.engine.begin()

    async def routings(self, connection: AsyncConnection, chunks: Sequence[Chunk]) -> dict[Chunk, Routing]:
        """The decisions that are kept for these records."""
        places = {"messages": [message for message, _ in chunks], "indexes": [index for _, index in chunks]}
        rows = await connection.execute(_ROUTINGS, places)
        return {(row.message_id, row.first_index): _routing(row) for row in rows}

    async def routing_of(self, connection: AsyncConnection, message_id: str, index: int) -> Routing | None:
        """The decision on the record that delivery number `index` of a message came in."""
        asked = {"message_id": message_id, "index": index}
        row = (await connection.execute(_ROUTING_OF, asked)).one_or_none()
        return None if row is None else _routing(row)

    async def cursor(self, connection: AsyncConnection, package: str) -> int:
        """Where a package's round would go on."""
        return (await connection.execute(_CURSOR, {"package": package})).scalar_one_or_none() or 0

    async def cursors(self, connection: AsyncConnection, packages: Sequence[str]) -> dict[str, int]:
        """Where each package's round goes on; locked, so that concurrent requests share one round."""
        await connection.execute(_CURSOR_ENSURE, {"packages": sorted(set(packages))})
        rows = await connection.execute(_CURSOR_LOCK, {"packages": sorted(set(packages))})
        return {row.package_id: row.next for row in rows}

    async def save(self, connection: AsyncConnection, routings: Sequence[Routing], cursors: dict[str, int]) -> None:
        rows = [
            {
                "message_id": routing.message_id,
                "first_index": routing.first_index,
                "strategy": routing.strategy,
                "package_version": routing.package_version,
                "profiles": list(routing.profiles),
                "passed_over": json.dumps(dict(routing.passed_over)),
                "reasons": json.dumps(dict(routing.reasons)),
                "suppressed": json.dumps(dict(routing.suppressed)),
                "refused": routing.refused,
                "assigned_at": routing.assigned_at,
            }
            for routing in routings
        ]
        if rows:
            await connection.execute(_ROUTING_INSERT, rows)
        await connection.execute(_CURSOR_SAVE, {"packages": list(cursors), "nexts": list(cursors.values())})

    async def conversations(
        self, connection: AsyncConnection, places: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Conversation]:
        rows = await connection.execute(_CONVERSATIONS, _places(places))
        return {
            (row.package_id, row.recipient): Conversation(
                row.package_id, row.recipient, row.profile_id, row.customer_at, row.sent_at
            )
            for row in rows
        }

    async def bind(self, connection: AsyncConnection, conversations: Sequence[Conversation]) -> None:
        """Begin conversations; one that has begun already stays as it is."""
        await connection.execute(
            _CONVERSATION_ENSURE,
            {
                **_places([each.place for each in conversations]),
                "profiles": [each.profile_id for each in conversations],
            },
        )

    async def learn(
        self,
        positions: Deduplicator,
        batch: Sequence[Received[E]],
        facts: Callable[[Sequence[E]], Sequence[Conversation]],
        binds: Mapping[str, timedelta],
    ) -> None:
        """Merge what a batch says into the conversations; a batch that comes again changes nothing.

        `binds`: by package, after how long without a word a conversation is over.
        """
        if not facts([each.event for each in batch]):
            return  # most outcomes say nothing of a conversation: they cost no transaction
        async with self.begin() as connection:
            fresh = await positions.unseen(connection, batch)
            told = facts([each.event for each in fresh])
            if not told:
                return
            await self.bind(connection, told)
            places = [each.place for each in told]
            await connection.execute(_CONVERSATIONS_LOCK, _places(places))
            known = await self.conversations(connection, places)
            merged = [merge(known[each.place], each, binds[each.package_id]) for each in told]
            await self._note_moves(connection, [known[place] for place in places], merged)
            await connection.execute(
                _CONVERSATION_SAVE,
                {
                    **_places(places),
                    "profiles": [each.profile_id for each in merged],
                    "customer_ats": [each.customer_at for each in merged],
                    "sent_ats": [each.sent_at for each in merged],
                },
            )

    async def history(self, connection: AsyncConnection, package_id: str, recipient: str) -> list[ConversationMove]:
        """Whom a recipient has talked to, the newest first."""
        asked = {"package_id": package_id, "recipient": recipient, "rows": HISTORY_ROWS_MAX}
        return [ConversationMove(row.profile_id, row.at, row.cause) for row in await connection.execute(_MOVES, asked)]

    async def _note_moves(
        self, connection: AsyncConnection, before: Sequence[Conversation], after: Sequence[Conversation]
    ) -> None:
        pairs = zip(before, after, strict=True)
        moved = [new for old, new in pairs if old.began is None or old.profile_id != new.profile_id]
        if moved:
            await connection.execute(
                _MOVE_INSERT,
                {
                    **_places([each.place for each in moved]),
                    "profiles": [each.profile_id for each in moved],
                    "ats": [each.began for each in moved],
                    "causes": ["the customer wrote" if each.customer_at else "we wrote" for each in moved],
                },
            )

    async def delete_old(self, rows_max: int) -> int:
        """Delete routings that no record can ask for any more; returns how many."""
        async with self.begin() as connection:
            return (await connection.execute(_ROUTING_DELETE_OLD, {"rows": rows_max})).rowcount


def _routing(row: Any) -> Routing:
    return Routing(
        message_id=row.message_id,
        first_index=row.first_index,
        strategy=row.strategy,
        package_version=row.package_version,
        profiles=tuple(row.profiles),
        passed_over=json.loads(row.passed_over),
        refused=row.refused,
        reasons=json.loads(row.reasons),
        suppressed=json.loads(row.suppressed),
        assigned_at=row.assigned_at,
    )


def _places(places: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    return {"packages": [package for package, _ in places], "recipients": [recipient for _, recipient in places]}


_ROUTINGS = text("""
SELECT routing.* FROM router.routing
JOIN unnest(CAST(:messages AS text[]), CAST(:indexes AS int[])) AS asked (message_id, first_index)
  USING (message_id, first_index)""")

_ROUTING_OF = text("""
SELECT * FROM router.routing WHERE message_id = :message_id AND first_index <= :index
ORDER BY first_index DESC LIMIT 1""")

_ROUTING_INSERT = text("""
INSERT INTO router.routing (message_id, first_index, strategy, package_version, profiles, passed_over,
                            reasons, suppressed, refused, assigned_at)
VALUES (:message_id, :first_index, :strategy, :package_version, :profiles, :passed_over,
        :reasons, :suppressed, :refused, :assigned_at)""")

_ROUTING_DELETE_OLD = text(f"""
DELETE FROM router.routing WHERE (message_id, first_index) IN (
    SELECT message_id, first_index FROM router.routing
    WHERE noted_at < clock_timestamp() - interval '{KEPT}' ORDER BY noted_at LIMIT :rows)""")

_CURSOR_ENSURE = text("""
INSERT INTO router.cursor (package_id, next) SELECT unnest(CAST(:packages AS text[])), 0 ON CONFLICT DO NOTHING""")

_CURSOR_LOCK = text("""
SELECT package_id, next FROM router.cursor WHERE package_id = ANY (CAST(:packages AS text[]))
ORDER BY package_id FOR UPDATE""")

_CURSOR = text("SELECT next FROM router.cursor WHERE package_id = :package")

_CURSOR_SAVE = text("""
UPDATE router.cursor SET next = saved.next
FROM unnest(CAST(:packages AS text[]), CAST(:nexts AS bigint[])) AS saved (package_id, next)
WHERE cursor.package_id = saved.package_id""")

_ASKED = "unnest(CAST(:packages AS text[]), CAST(:recipients AS text[])) AS asked (package_id, recipient)"

_CONVERSATIONS = text(f"""
SELECT conversation.* FROM router.conversation JOIN {_ASKED} USING (package_id, recipient)""")

_CONVERSATIONS_LOCK = text(f"""
SELECT 1 FROM router.conversation JOIN {_ASKED} USING (package_id, recipient)
ORDER BY conversation.package_id, conversation.recipient FOR UPDATE OF conversation""")

_CONVERSATION_ENSURE = text("""
INSERT INTO router.conversation (package_id, recipient, profile_id)
SELECT * FROM unnest(CAST(:packages AS text[]), CAST(:recipients AS text[]), CAST(:profiles AS text[]))
ON CONFLICT DO NOTHING""")

_MOVES = text("""
SELECT profile_id, at, cause FROM router.conversation_move
WHERE package_id = :package_id AND recipient = :recipient ORDER BY at DESC LIMIT :rows""")

_MOVE_INSERT = text("""
INSERT INTO router.conversation_move (package_id, recipient, profile_id, at, cause)
SELECT * FROM unnest(CAST(:packages AS text[]), CAST(:recipients AS text[]), CAST(:profiles AS text[]),
                     CAST(:ats AS timestamptz[]), CAST(:causes AS text[])) ON CONFLICT DO NOTHING""")

_CONVERSATION_SAVE = text("""
UPDATE router.conversation
SET profile_id = saved.profile_id, customer_at = saved.customer_at, sent_at = saved.sent_at
FROM unnest(CAST(:packages AS text[]), CAST(:recipients AS text[]), CAST(:profiles AS text[]),
            CAST(:customer_ats AS timestamptz[]), CAST(:sent_ats AS timestamptz[]))
     AS saved (package_id, recipient, profile_id, customer_at, sent_at)
WHERE conversation.package_id = saved.package_id AND conversation.recipient = saved.recipient""")
