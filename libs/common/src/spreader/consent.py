"""Consent: a service's copy of the suppression and opt-in lists, and the rules that follow from them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import PARTITIONS, ConsentChanged, ConsentKind
from spreader.erasure.postgres import ErasedNumber, ErasureTable
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.kafka.read_barrier import ReadProgress, wait_until_consumed
from spreader.phone.canonical import PersonKey, person_key
from spreader.phone.sql_spellings import SPELLINGS
from spreader.runtime.rows import arrays, columns, fetched, unnest

SUPPRESSED = "the recipient is suppressed"
NOT_OPTED_IN = "the package writes only to who has opted in, and the recipient has not"

ConsentKey = tuple[str, PersonKey]
"""A package's id and the key of a recipient."""


def objection(listed: Collection[ConsentKind], opted_in_only: bool) -> str | None:
    """Why a package must not send an open message to a recipient. None: it may send one. `listed`: the lists that the
    recipient is on."""
    if "suppression" in listed:
        return SUPPRESSED
    if opted_in_only and "opt_in" not in listed:
        return NOT_OPTED_IN
    return None


async def wait_until_consents_consumed(progress: ReadProgress, seconds: float) -> bool:
    """Waits until every change of consent that was published before this call is consumed. Returns False if some are
    still unread after `seconds`. Raises OSError when Kafka is unavailable.

    Until then a service must not act on a missing opt-in. The recipient may have opted in seconds ago, or the service
    may have just begun to read the topic.
    """
    return await wait_until_consumed(progress, ConsentChanged.topic, range(PARTITIONS[ConsentChanged.topic]), seconds)


@dataclass(frozen=True, slots=True)
class _Listing:
    package_id: str
    recipient: str
    kind: ConsentKind


@dataclass(frozen=True, slots=True)
class _Change(_Listing):
    at: datetime


@dataclass(frozen=True, slots=True)
class _Recipient:
    package_id: str
    recipient: str


@dataclass(frozen=True, slots=True)
class ConsentTable:
    """The tables `consent` and `consent_removal` of a schema, folded from the events. `consent` has one row for each
    list that a recipient is on, and `consent_removal` one for each list that a recipient was taken off.

    They are in Postgres and not in memory, because the lists may have millions of rows. Reading them again would make
    each restart slow. `secrets`: as in `ErasureTable`. Only `fold` needs them.

    A row is found by every spelling of its number, because versions before decision 0058 store it as the caller gave
    it. If the caller's spelling is not the key, `fold` stores a row for both. So an instance of such a version, which
    looks only for the caller's spelling, finds it too.
    """

    schema: str
    secrets: str | None = field(default=None, repr=False)

    async def fold(self, connection: AsyncConnection, changes: Sequence[ConsentChanged]) -> list[ConsentChanged]:
        """Apply the changes; returns the newest one of each package, person and list.

        A change that is older than the stored one has no effect and is not returned, because it is an old record that
        was read again. Of an erased person, an older change leaves no row.
        """
        newest: dict[str, ConsentChanged] = {}
        for change in changes:
            if change.key not in newest or newest[change.key].at <= change.at:
                newest[change.key] = change
        ordered = [newest[key] for key in sorted(newest)]  # all writers use this order, so they do not deadlock
        if not ordered:
            return []
        recipients, since = (change.recipient for change in ordered), min(change.at for change in ordered)
        erased = await ErasureTable(self.schema, self.secrets).of(connection, recipients, since)
        kept = [change for change in ordered if not _is_erased(change, erased.get(change.recipient))]
        listed = arrays(_Change, [row for change in kept if change.listed for row in _rows(change)])
        removed = arrays(_Change, [row for change in ordered if not change.listed for row in _rows(change)])
        noted = arrays(_Change, [row for change in kept if not change.listed for row in _rows(change)])
        applied = set(fetched(_Listing, await connection.execute(self._sql(_INSERT), listed)))
        await connection.execute(self._sql(_DELETE), removed)
        applied |= set(fetched(_Listing, await connection.execute(self._sql(_NOTE_REMOVAL), noted)))
        return [change for change in ordered if _listing(change) in applied]

    async def of(
        self, connection: AsyncConnection, persons: Collection[ConsentKey]
    ) -> Mapping[ConsentKey, set[ConsentKind]]:
        """For each person, the lists that contain the person: lists of the package, and lists of all packages. Persons
        without a list are left out."""
        keys = [_Recipient(*key) for key in sorted(persons)]
        lists: dict[ConsentKey, set[ConsentKind]] = {}
        for row in fetched(_Listing, await connection.execute(self._sql(_SELECT), arrays(_Recipient, keys))):
            lists.setdefault((row.package_id, person_key(row.recipient)), set()).add(row.kind)
        return lists

    def _sql(self, statement: str) -> TextClause:
        return text(statement.format(schema=self.schema))


@dataclass(frozen=True, slots=True)
class ConsentFollower:
    """The handler of consent events for a service that only has to update its copy of the lists."""

    engine: AsyncEngine
    deduplicator: Deduplicator
    table: ConsentTable

    async def on_changed(self, batch: Sequence[Received[ConsentChanged]]) -> None:
        async with self.engine.begin() as connection:
            unseen = await self.deduplicator.unseen(connection, batch)
            await self.table.fold(connection, [received.event for received in unseen])


def _is_erased(change: ConsentChanged, erased: ErasedNumber | None) -> bool:
    """Whether the change concerns an erased person and is not newer. Erasures may have kept entries of suppression
    lists, but never the time at which somebody was taken off a list."""
    if erased is None or change.at > erased.at:
        return False
    is_suppression = change.kind == "suppression" and change.listed
    return not is_suppression or (erased.unkept_at is not None and change.at <= erased.unkept_at)


def _rows(change: ConsentChanged) -> list[_Change]:
    numbers = dict.fromkeys((change.person, change.recipient))
    return [_Change(change.package_id, number, change.kind, change.at) for number in numbers]


def _listing(change: ConsentChanged) -> _Listing:
    return _Listing(change.package_id, change.person, change.kind)


_SAME = f"""{{0}}.package_id = {{1}}.package_id AND {{0}}.kind = {{1}}.kind
  AND {{0}}.recipient = ANY ({SPELLINGS.format("{1}.recipient")})"""

_INSERT = f"""
INSERT INTO "{{schema}}".consent AS stored ({columns(_Change)})
SELECT {columns(_Change)} FROM {unnest(_Change, "change")}
WHERE NOT EXISTS (
    SELECT FROM "{{schema}}".consent_removal AS removal
    WHERE {_SAME.format("removal", "change")} AND removal.at > change.at)
ORDER BY recipient, package_id, kind
ON CONFLICT (recipient, package_id, kind) DO UPDATE SET at = excluded.at
WHERE stored.at IS NULL OR stored.at <= excluded.at
RETURNING {columns(_Listing)}"""

_DELETE = f"""
DELETE FROM "{{schema}}".consent AS stored USING {unnest(_Change, "change")}
WHERE {_SAME.format("stored", "change")} AND (stored.at IS NULL OR stored.at <= change.at)"""

_NOTE_REMOVAL = f"""
INSERT INTO "{{schema}}".consent_removal AS stored ({columns(_Change)})
SELECT {columns(_Change)} FROM {unnest(_Change, "change")}
WHERE NOT EXISTS (SELECT FROM "{{schema}}".consent AS newer WHERE {_SAME.format("newer", "change")})
ORDER BY recipient, package_id, kind
ON CONFLICT (recipient, package_id, kind) DO UPDATE SET at = excluded.at WHERE stored.at <= excluded.at
RETURNING {columns(_Listing)}"""

_SELECT = f"""
SELECT key.package_id, key.recipient, consent.kind
FROM {unnest(_Recipient, "key")}
JOIN "{{schema}}".consent ON consent.package_id IN (key.package_id, '*')
    AND consent.recipient = ANY ({SPELLINGS.format("key.recipient")})"""
