"""Conversation store: keeps the conversations of customers with profiles in Postgres."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from router.core.conversations import Conversation, ConversationKey, is_over, merge
from spreader.contract.events import CustomerMessage, DeliveryOutcome
from spreader.erasure.postgres import ErasureTable, Fact, outcome_fact
from spreader.erasure.sql_condition import is_erased
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.phone.canonical import PersonKey
from spreader.runtime.rows import arrays, columns, fetched, unnest

E = TypeVar("E", CustomerMessage, DeliveryOutcome)

ERASURES = ErasureTable("router")
HISTORY_ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class ConversationKeyRow:
    package_id: str
    recipient: PersonKey


@dataclass(frozen=True, slots=True)
class NewConversationRow:
    """`requested_at`: when the reply was requested with which the conversation begins. None: it does not begin with a
    reply."""

    package_id: str
    recipient: PersonKey
    profile_id: str
    requested_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewMoveRow:
    package_id: str
    recipient: PersonKey
    profile_id: str
    at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class SubstituteRow:
    package_id: str
    recipient: PersonKey
    substitute: str | None


@dataclass(frozen=True, slots=True)
class SubstitutedConversation(Conversation):
    """A conversation, and its substitute: the profile that answers while the conversation's own profile cannot send."""

    substitute: str | None = None


@dataclass(frozen=True, slots=True)
class Substitution:
    """A customer's own profile, and the substitute that answers while the own profile cannot send.

    `has_messages`: whether the own profile has sent or received a message.
    """

    package_id: str
    recipient: PersonKey
    profile_id: str
    substitute: str
    has_messages: bool


@dataclass(frozen=True, slots=True)
class ConversationMove:
    """From `at` on the customer talked to this profile."""

    profile_id: str
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class ConversationStore:
    engine: AsyncEngine
    erasures: ErasureTable = ERASURES

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.engine.begin()

    async def rehearse(self, connection: AsyncConnection) -> None:
        """Prepare the statements of a reply and of its outcome. Nothing is written, because no statement gets a row."""
        await self.conversations(connection, [])
        await self.begin_conversations(connection, [])
        await self.substitutions(connection, [])
        await self.erasures.rehearse(connection)
        await connection.execute(_CONVERSATIONS_LOCK, _key_arrays([]))
        await connection.execute(_MOVE_INSERT, arrays(NewMoveRow, []))
        await connection.execute(_CONVERSATION_SAVE, arrays(Conversation, []))

    async def conversations(
        self, connection: AsyncConnection, keys: Sequence[ConversationKey]
    ) -> dict[ConversationKey, SubstitutedConversation]:
        rows = fetched(SubstitutedConversation, await connection.execute(_CONVERSATIONS, _key_arrays(keys)))
        return {conversation.key: conversation for conversation in rows}

    async def talks_to(
        self, connection: AsyncConnection, keys: Collection[ConversationKey], days: Mapping[str, int], now: datetime
    ) -> dict[str, dict[PersonKey, str]]:
        """For each package: the profile of each of these persons with a conversation that is not over.

        `days`: for each package, the number of days without a message after which a conversation is over.
        """
        talks_to: dict[str, dict[PersonKey, str]] = defaultdict(dict)
        for (package_id, person), conversation in (await self.conversations(connection, sorted(keys))).items():
            if not is_over(conversation, days[package_id], now):
                talks_to[package_id][person] = conversation.profile_id
        return talks_to

    async def begin_conversations(self, connection: AsyncConnection, rows: Sequence[NewConversationRow]) -> None:
        """Store new conversations. A conversation that exists already stays as it is. A reply to a person who was
        erased after its request begins none."""
        params = {"erasure_keys": self.erasures.keys, **arrays(NewConversationRow, rows)}
        await connection.execute(_CONVERSATION_ENSURE, params)

    async def track(
        self,
        deduplicator: Deduplicator,
        batch: Sequence[Received[E]],
        conversations_of: Callable[[Sequence[E]], Sequence[Conversation]],
        binds_for: Mapping[str, timedelta],
    ) -> None:
        """Merge the conversations of a batch into the stored ones. A repeated batch changes nothing.

        `binds_for`: for each package, how long a conversation binds after its last message.
        """
        if not conversations_of([record.event for record in batch]):
            return  # most outcomes concern no conversation, so they cost no transaction
        async with self.begin() as connection:
            new = [record.event for record in await deduplicator.unseen(connection, batch)]
            erased = await self.erasures.are_erased(connection, [_fact(event) for event in new])
            events = [event for event, is_erased in zip(new, erased, strict=True) if not is_erased]
            conversations = conversations_of(await self._by_own_profile(connection, events))
            if not conversations:
                return
            begun = [NewConversationRow(*conversation.key, conversation.profile_id) for conversation in conversations]
            await self.begin_conversations(connection, begun)
            keys = [conversation.key for conversation in conversations]
            rows = fetched(Conversation, await connection.execute(_CONVERSATIONS_LOCK, _key_arrays(keys)))
            known = {conversation.key: conversation for conversation in rows}
            merged = [
                merge(known[conversation.key], conversation, binds_for[conversation.package_id])
                for conversation in conversations
            ]
            await self._save_moves(connection, [known[key] for key in keys], merged)
            await connection.execute(_CONVERSATION_SAVE, arrays(Conversation, merged))

    async def follow(self, old: ConversationKey, recipient: PersonKey, binds_for: timedelta) -> bool:
        """Continue a conversation under the customer's new number. A repeat changes nothing.

        Returns False if there is no such conversation.
        """
        async with self.begin() as connection:
            known = (await self.conversations(connection, [old])).get(old)
            if known is None:
                return False
            continued = Conversation(known.package_id, recipient, known.profile_id, known.customer_at, known.sent_at)
            await self.begin_conversations(connection, [NewConversationRow(*continued.key, continued.profile_id)])
            (stored,) = fetched(
                Conversation, await connection.execute(_CONVERSATIONS_LOCK, _key_arrays([continued.key]))
            )
            merged = merge(stored, continued, binds_for)
            if stored.last_at is None or stored.profile_id != merged.profile_id:
                at, cause = merged.last_at, "the customer changed the number"
                move = NewMoveRow(merged.package_id, recipient, merged.profile_id, at, cause)
                await connection.execute(_MOVE_INSERT, arrays(NewMoveRow, [move] if at is not None else []))
            await connection.execute(_CONVERSATION_SAVE, arrays(Conversation, [merged]))
        return True

    async def substitutions(
        self, connection: AsyncConnection, keys: Collection[ConversationKey]
    ) -> dict[ConversationKey, Substitution]:
        """The substitution of each of these conversations that has a substitute."""
        rows = fetched(Substitution, await connection.execute(_SUBSTITUTIONS, _key_arrays(sorted(keys))))
        return {(row.package_id, row.recipient): row for row in rows}

    async def save_substitutes(
        self, connection: AsyncConnection, substitutes: Mapping[ConversationKey, str | None]
    ) -> None:
        """Store the substitutes of these conversations. None removes a stored substitute."""
        if substitutes:
            keys = sorted(substitutes)
            await connection.execute(_CONVERSATIONS_LOCK, _key_arrays(keys))
            rows = [SubstituteRow(*key, substitutes[key]) for key in keys]
            await connection.execute(_SUBSTITUTE_SAVE, arrays(SubstituteRow, rows))

    async def _by_own_profile(self, connection: AsyncConnection, events: Sequence[E]) -> list[E]:
        """The same events, but a reply that a substitute sent counts as sent by the customer's own profile. So the
        conversation stays with the own profile. This holds only if the own profile has sent or received a message."""
        keys = {
            (event.package_id, event.person)
            for event in events
            if isinstance(event, DeliveryOutcome) and event.lane == "reply"
        }
        if not keys:
            return list(events)
        substitutions = await self.substitutions(connection, keys)
        return [_by_own_profile(event, substitutions) for event in events]

    async def history(self, connection: AsyncConnection, package_id: str, who: PersonKey) -> Sequence[ConversationMove]:
        """The profiles that a recipient has talked to, the latest first."""
        parameters = {"package_id": package_id, "recipient": who, "rows": HISTORY_ROWS_MAX}
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


def _fact(event: CustomerMessage | DeliveryOutcome) -> Fact:
    return outcome_fact(event) if isinstance(event, DeliveryOutcome) else (event.recipient, event.at)


def _by_own_profile(event: E, substitutions: Mapping[ConversationKey, Substitution]) -> E:
    if not isinstance(event, DeliveryOutcome) or event.lane != "reply":
        return event
    substitution = substitutions.get((event.package_id, event.person))
    if substitution is None or not substitution.has_messages or event.profile_id != substitution.substitute:
        return event
    return event.model_copy(update={"profile_id": substitution.profile_id})


def _key_arrays(keys: Sequence[ConversationKey]) -> dict[str, list[str]]:
    return arrays(ConversationKeyRow, [ConversationKeyRow(*key) for key in keys])


CONVERSATION_COLUMNS = ", ".join(f"conversation.{name}" for name in columns(Conversation).split(", "))

_KEYS = unnest(ConversationKeyRow, "wanted")

_CONVERSATIONS = text(f"""
SELECT {CONVERSATION_COLUMNS}, conversation.substitute
FROM router.conversation JOIN {_KEYS} USING (package_id, recipient)""")

_CONVERSATIONS_LOCK = text(f"""
SELECT {CONVERSATION_COLUMNS} FROM router.conversation JOIN {_KEYS} USING (package_id, recipient)
ORDER BY conversation.package_id, conversation.recipient FOR UPDATE OF conversation""")

_CONVERSATION_ENSURE = text(f"""
INSERT INTO router.conversation (package_id, recipient, profile_id)
SELECT package_id, recipient, profile_id FROM {unnest(NewConversationRow, "new")}
WHERE new.requested_at IS NULL OR NOT {is_erased("router", "new.recipient", "new.requested_at")}
ON CONFLICT DO NOTHING""")

_CONVERSATION_SAVE = text(f"""
UPDATE router.conversation
SET profile_id = saved.profile_id, customer_at = saved.customer_at, sent_at = saved.sent_at
FROM {unnest(Conversation, "saved")}
WHERE conversation.package_id = saved.package_id AND conversation.recipient = saved.recipient""")

_SUBSTITUTIONS = text(f"""
SELECT package_id, recipient, profile_id, substitute,
       customer_at IS NOT NULL OR sent_at IS NOT NULL AS has_messages
FROM router.conversation JOIN {_KEYS} USING (package_id, recipient) WHERE substitute IS NOT NULL""")

_SUBSTITUTE_SAVE = text(f"""
UPDATE router.conversation SET substitute = saved.substitute FROM {unnest(SubstituteRow, "saved")}
WHERE conversation.package_id = saved.package_id AND conversation.recipient = saved.recipient""")

_MOVES = text(f"""
SELECT {columns(ConversationMove)} FROM router.conversation_move
WHERE package_id = :package_id AND recipient = :recipient ORDER BY at DESC LIMIT :rows""")

_MOVE_INSERT = text(f"""
INSERT INTO router.conversation_move ({columns(NewMoveRow)})
SELECT {columns(NewMoveRow)} FROM {unnest(NewMoveRow, "new")}
ON CONFLICT DO NOTHING""")
