"""Erasure table: the persons who were erased, and when. Each service has one in its own schema.

A row contains the number until the service has removed the number everywhere. After that the row contains only keyed
hashes of the number (decision 0057). Kafka may deliver older records of the person again. By the hashes, the service
recognises these records, so that they have no effect.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import DeliveryOutcome, RecipientErased
from spreader.contract.ids import ERASED, creation_time
from spreader.phone.canonical import spellings
from spreader.runtime.rows import arrays, columns, fetched, unnest

OVERDUE = timedelta(days=1)
"""After this time, an erasure no longer waits until the deliveries of the person have ended."""
LOOK_AGAIN_SECONDS = (0.2, 60.0)
"""The shortest and the longest pause while an erasure waits for deliveries to end."""
KEPT = timedelta(days=35)
"""For this long, in wall time, a service remembers an erasure. Kafka keeps records for a much shorter time. The age up
to which records are accepted is shorter too (`spreader.contract.age`)."""

Fact = tuple[str, datetime]
"""A number, and the time to which a record about it belongs."""


@dataclass(frozen=True, slots=True)
class ErasedNumber:
    """Everything about the number up to the time `at` is erased. Entries of suppression lists are erased only up to the
    time `unkept_at`. If it is None, every erasure has kept these entries. `erasure_ids`: the ids of all erasures of the
    number, because it may have been erased several times."""

    at: datetime
    unkept_at: datetime | None
    erasure_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class _HashRow(ErasedNumber):
    hash: str


@dataclass(frozen=True, slots=True)
class _NewErasure:
    """`hashes`: the hashes of all forms of the number, separated by spaces."""

    erasure_id: str
    hashes: str
    recipient: str
    at: datetime
    handled_at: datetime
    keep_suppression: bool


@dataclass(frozen=True, slots=True)
class OpenErasure:
    """An erasure that the service has not finished. `handled_at`: when the service stored the erasure, in system time.
    It is never earlier than `at`. `is_settled`: whether all transactions have ended that may not have seen the erasure.
    None: these transactions are not stored yet (`note_unaware`)."""

    erasure_id: str
    recipient: str
    at: datetime
    handled_at: datetime
    keep_suppression: bool
    rows: Mapping[str, int]
    is_overdue: bool
    is_settled: bool | None


@dataclass(frozen=True, slots=True)
class OpenErasures:
    """`unfinished`: the number of unfinished erasures. `due_in`: the seconds until the next of them is due. None: no
    erasure is unfinished."""

    unfinished: int
    due_in: float | None


@dataclass(frozen=True, slots=True)
class ErasureTable:
    """`secrets`: the setting `internal_token`, which may contain several tokens. The key of new hashes is made from the
    first token. Hashes that were made with another of these tokens are still found."""

    schema: str
    secrets: str | None = field(default=None, repr=False)

    async def note(self, connection: AsyncConnection, erasures: Sequence[RecipientErased], now: datetime) -> None:
        """Store these erasures. From now on, older records of their persons have no effect."""
        rows = [
            _NewErasure(
                erasure.erasure_id,
                " ".join(map(self._hash_of, spellings(erasure.recipient))),
                erasure.recipient,
                erasure.at,
                max(now, erasure.at),
                erasure.keep_suppression,
            )
            for erasure in sorted(erasures, key=lambda erasure: erasure.erasure_id)
        ]
        await connection.execute(self._sql(_NOTE), arrays(_NewErasure, rows))

    async def rehearse(self, connection: AsyncConnection) -> None:
        """Run the statement of `of` once in advance, so that the first record does not wait for its preparation."""
        await self.of(connection, (), datetime(9999, 1, 1, tzinfo=UTC))

    async def of(
        self, connection: AsyncConnection, recipients: Iterable[str], since: datetime
    ) -> Mapping[str, ErasedNumber]:
        """The recipients among these who were erased at `since` or later."""
        rows = fetched(_HashRow, await connection.execute(self._sql(_SINCE), {"since": since}))
        if not rows:
            return {}  # this is almost always so, and then nothing is hashed
        erased = {row.hash: row for row in rows}
        found = {recipient: self._newest(recipient, erased) for recipient in {*recipients}}
        return {recipient: number for recipient, number in found.items() if number is not None}

    async def are_erased(self, connection: AsyncConnection, facts: Sequence[Fact]) -> Sequence[bool]:
        """For each fact, whether it must leave no trace. This is so if the person was erased at the time of the fact or
        later."""
        if not facts:
            return []
        erased = await self.of(connection, (number for number, _ in facts), min(at for _, at in facts))
        return [number == ERASED or (number in erased and at <= erased[number].at) for number, at in facts]

    async def next_due(self, connection: AsyncConnection) -> OpenErasure | None:
        """The erasure that has waited longest, if one is due. Its row is locked, so that no other process works on
        it."""
        return next(iter(fetched(OpenErasure, await connection.execute(self._sql(_DUE), {"overdue": OVERDUE}))), None)

    async def note_unaware(self, connection: AsyncConnection, erasure_id: str) -> None:
        """Store which transactions run now. The erasure is committed already, so only these transactions may not have
        seen it."""
        await connection.execute(self._sql(_NOTE_UNAWARE), {"erasure_id": erasure_id})

    async def open_erasures(self, connection: AsyncConnection) -> OpenErasures:
        return fetched(OpenErasures, await connection.execute(self._sql(_OPEN)))[0]

    async def save(self, connection: AsyncConnection, erasure_id: str, rows: Mapping[str, int]) -> None:
        """Store how many rows were removed from each table up to now."""
        params = {"erasure_id": erasure_id, "rows": json.dumps(dict(rows))}
        await connection.execute(self._sql(_SAVE), params)

    async def look_again(self, connection: AsyncConnection, erasure_id: str) -> None:
        """Make the erasure due again after a pause. The longer the erasure has waited, the longer is the pause."""
        shortest, longest = LOOK_AGAIN_SECONDS
        params = {"erasure_id": erasure_id, "shortest": shortest, "longest": longest}
        await connection.execute(self._sql(_LOOK_AGAIN), params)

    async def end(self, connection: AsyncConnection, erasure_id: str) -> None:
        """Mark the erasure as finished, and delete the number from its row."""
        await connection.execute(self._sql(_END), {"erasure_id": erasure_id})

    async def delete_old(self, connection: AsyncConnection, keep: timedelta, rows_max: int) -> int:
        params = {"keep": keep, "rows": rows_max}
        return (await connection.execute(self._sql(_DELETE_OLD), params)).rowcount

    @property
    def keys(self) -> list[str]:
        """The keys of the hashes. All have the same length, so that no number can be taken for a part of a key."""
        secrets = [secret.strip() for secret in (self.secrets or "").split(",") if secret.strip()] or [""]
        return [hashlib.sha256(b"spreader erased number" + secret.encode()).hexdigest() for secret in secrets]

    def hashes_of(self, recipient: str) -> Sequence[str]:
        """The hashes under which the number may be stored (`sql_condition` computes the same hashes)."""
        return [_hash(key, recipient) for key in self.keys]

    def _hash_of(self, recipient: str) -> str:
        return _hash(self.keys[0], recipient)

    def _newest(self, recipient: str, erased: Mapping[str, ErasedNumber]) -> ErasedNumber | None:
        found = [erased[hashed] for hashed in self.hashes_of(recipient) if hashed in erased]
        if not found:
            return None
        unkept = [number.unkept_at for number in found if number.unkept_at is not None]
        erasure_ids = [erasure_id for number in found for erasure_id in number.erasure_ids]
        return ErasedNumber(max(number.at for number in found), max(unkept, default=None), erasure_ids)

    def _sql(self, statement: str) -> TextClause:
        return text(statement.format(schema=self.schema))


def _hash(key: str, recipient: str) -> str:
    return hashlib.sha256(f"{key}{recipient}".encode()).hexdigest()


def outcome_fact(outcome: DeliveryOutcome) -> Fact:
    """The number of an outcome, and the time to which the outcome belongs. If the message id shows the time of the
    request, the outcome belongs to that time. Otherwise the outcome belongs to its own time, although a receipt may
    come much later than its message."""
    return outcome.recipient, creation_time(outcome.message_id) or outcome.at


_NOTE = f"""
INSERT INTO "{{schema}}".erasure (erasure_id, hashes, recipient, at, handled_at, keep_suppression)
SELECT erasure_id, string_to_array(hashes, ' '), recipient, at, handled_at, keep_suppression
FROM {unnest(_NewErasure, "new")} ON CONFLICT DO NOTHING"""

_SINCE = """
SELECT max(at) AS at, max(at) FILTER (WHERE NOT keep_suppression) AS unkept_at,
       array_agg(erasure_id) AS erasure_ids, hash
FROM "{schema}".erasure CROSS JOIN unnest(hashes) AS hash WHERE at >= :since GROUP BY hash"""

_DUE = f"""
SELECT {columns(OpenErasure)} FROM (
    SELECT *, noted_at < clock_timestamp() - CAST(:overdue AS interval) AS is_overdue,
           CASE WHEN unaware IS NOT NULL THEN NOT EXISTS (
               SELECT FROM pg_locks WHERE locktype = 'virtualxid' AND virtualxid = ANY (unaware)) END AS is_settled
    FROM "{{schema}}".erasure
    WHERE done_at IS NULL AND look_at <= clock_timestamp() ORDER BY look_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS due"""

# Each running transaction holds a lock on its own virtual id. CREATE INDEX CONCURRENTLY waits in this way too.
_NOTE_UNAWARE = """
UPDATE "{schema}".erasure SET unaware = ARRAY(
    SELECT virtualxid FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND datname = current_database() AND usename IS NOT NULL
      AND pid <> pg_backend_pid())
WHERE erasure_id = :erasure_id"""

_OPEN = """
SELECT count(*) AS unfinished, CAST(extract(epoch FROM min(look_at) - clock_timestamp()) AS float8) AS due_in
FROM "{schema}".erasure WHERE done_at IS NULL"""

_SAVE = """
UPDATE "{schema}".erasure SET rows = CAST(:rows AS jsonb) WHERE erasure_id = :erasure_id"""

_LOOK_AGAIN = """
UPDATE "{schema}".erasure
SET look_at = clock_timestamp()
              + least(greatest((clock_timestamp() - noted_at) / 10, make_interval(secs => :shortest)),
                      make_interval(secs => :longest))
WHERE erasure_id = :erasure_id"""

_END = """
UPDATE "{schema}".erasure SET done_at = clock_timestamp(), recipient = NULL WHERE erasure_id = :erasure_id"""

_DELETE_OLD = """
DELETE FROM "{schema}".erasure WHERE erasure_id IN (
    SELECT erasure_id FROM "{schema}".erasure
    WHERE done_at < clock_timestamp() - CAST(:keep AS interval) ORDER BY done_at LIMIT :rows)"""
