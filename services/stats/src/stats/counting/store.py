"""Count store: saves the counts of a batch in one transaction, and reads the counts of rolling windows."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import Counts, CustomerMessage, DeliveryOutcome, Event, Windows
from spreader.contract.ids import ERASED
from spreader.erasure.postgres import ErasureTable, Fact
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, fetched
from stats.core.contacts import ContactHistory
from stats.core.sums import MinuteBucket, minute_of
from stats.core.tally import ContactKey, CountedDelivery, Marks, Tally
from stats.core.windows import WindowStarts
from stats.counting import rows, sql
from stats.counting.rows import (
    ContactKeyRow,
    ContactRow,
    CountedDeliveryRow,
    CustomerMessageRow,
    DeliveryMarksRow,
    MessageCountRow,
    PackageCountRow,
    PackageFailureRow,
    ProfileCountRow,
    ProfileFailureRow,
    SentDeliveryRow,
    SentRow,
    SinceRow,
    WindowFailureRow,
    WindowRow,
)

E = TypeVar("E", bound=Event)
P = TypeVar("P", CustomerMessage, DeliveryOutcome)
R = TypeVar("R")
ERASURES = ErasureTable("stats")


@dataclass(frozen=True, slots=True)
class CountTransaction:
    """The transaction of one batch. It finds what is new in the batch and what is already counted, and saves the new
    counts."""

    connection: AsyncConnection
    deduplicator: Deduplicator
    erasures: ErasureTable

    async def new_events(self, batch: Sequence[Received[E]]) -> list[E]:
        return [record.event for record in await self.deduplicator.unseen(self.connection, batch)]

    async def without_erased(self, events: Sequence[P], facts: Sequence[Fact]) -> list[P]:
        """The same events. If a person was erased after an event, the event still counts, but the person's number is
        removed from it."""
        erased = await self.erasures.are_erased(self.connection, facts)
        return [_anonymous(event) if is_erased else event for event, is_erased in zip(events, erased, strict=True)]

    async def lock_deliveries(self, outcomes: Sequence[DeliveryOutcome]) -> dict[str, CountedDelivery]:
        """What is already counted of these deliveries. Missing rows are created, and all rows of the deliveries are
        locked until the commit."""
        deliveries = {"deliveries": sorted({outcome.delivery_id for outcome in outcomes})}
        await self.connection.execute(sql.ENSURE_DELIVERIES, deliveries)
        locked = fetched(CountedDeliveryRow, await self.connection.execute(sql.LOCK_DELIVERIES, deliveries))
        return {row.delivery_id: CountedDelivery(Marks(row.marks), _sent_bucket(row)) for row in locked}

    async def new_refusals(self, refusals: Sequence[DeliveryOutcome]) -> list[DeliveryOutcome]:
        """The refusals that were not noted before. They are noted now."""
        by_id = {outcome.event_id: outcome for outcome in refusals}
        if not by_id:
            return []
        noted = await self.connection.execute(sql.NOTE_REFUSALS, {"events": sorted(by_id)})
        return [by_id[event_id] for event_id in noted.scalars()]

    async def new_customer_messages(self, messages: Sequence[CustomerMessage]) -> list[CustomerMessage]:
        """The messages that were not noted before, in their order. They are noted now."""
        by_id = {(message.profile_id, message.gateway_message_id): message for message in messages}
        keys = [CustomerMessageRow(*key) for key in sorted(by_id)]
        result = await self.connection.execute(sql.NOTE_CUSTOMER_MESSAGES, arrays(CustomerMessageRow, keys))
        new = {(row.profile_id, row.gateway_message_id) for row in fetched(CustomerMessageRow, result)}
        return [message for key, message in by_id.items() if key in new]

    async def lock_contacts(self, keys: Collection[ContactKey]) -> dict[ContactKey, ContactHistory]:
        """The histories of these contacts. Missing rows are created, and all rows of the contacts are locked until the
        commit."""
        if not keys:
            return {}
        parameters = arrays(ContactKeyRow, [ContactKeyRow(*key) for key in sorted(keys)])
        await self.connection.execute(sql.ENSURE_CONTACTS, parameters)
        locked = fetched(ContactRow, await self.connection.execute(sql.LOCK_CONTACTS, parameters))
        return {(row.profile_id, row.recipient): row.history for row in locked}

    async def save(self, tally: Tally) -> None:
        await self._execute(sql.MARK_DELIVERIES, DeliveryMarksRow, rows.delivery_marks(tally))
        await self._execute(sql.SAVE_SENT_DELIVERIES, SentDeliveryRow, rows.sent_deliveries(tally))
        await self._execute(sql.SAVE_CONTACTS, ContactRow, rows.contacts(tally))
        for table, start_of in sql.PROFILE_TABLES.items():
            counts = rows.profile_counts(tally.added, start_of)
            await self._execute(sql.ADD_COUNTS[table], ProfileCountRow, counts)
        for table, start_of in sql.PACKAGE_TABLES.items():
            counts = rows.package_counts(tally.added, start_of)
            await self._execute(sql.ADD_COUNTS[table], PackageCountRow, counts)
        for table, start_of in sql.PROFILE_TABLES.items():
            failures = rows.profile_failures(tally.failures, start_of)
            await self._execute(sql.ADD_FAILURES[table], ProfileFailureRow, failures)
        for table, start_of in sql.PACKAGE_TABLES.items():
            failures = rows.package_failures(tally.failures, start_of)
            await self._execute(sql.ADD_FAILURES[table], PackageFailureRow, failures)
        await self._execute(sql.ADD_MESSAGES, MessageCountRow, rows.message_counts(tally.messages))

    async def _execute(self, statement: TextClause, kind: type[R], values: Sequence[R]) -> None:
        if values:
            await self.connection.execute(statement, arrays(kind, values))


@dataclass(frozen=True, slots=True)
class CountStore:
    engine: AsyncEngine
    deduplicator: Deduplicator
    erasures: ErasureTable = ERASURES

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CountTransaction]:
        async with self.engine.begin() as connection:
            yield CountTransaction(connection, self.deduplicator, self.erasures)

    async def windows(self, profiles: Collection[str], starts: WindowStarts) -> dict[str, Windows]:
        """The windows of each profile that has any count in them."""
        first, last = starts.whole_hours
        parameters = {
            "profiles": list(profiles),
            "hour": starts.hour,
            "two_hours": starts.two_hours,
            "three_hours": starts.three_hours,
            "day": starts.day,
            "week": starts.week,
            "first": first,
            "last": last,
            "until": starts.until,
        }
        async with autocommit(self.engine) as connection:
            sums = fetched(WindowRow, await connection.execute(sql.WINDOWS, parameters))
            failures = fetched(WindowFailureRow, await connection.execute(sql.FAILURES, parameters))
        return _windows(sums, failures)

    async def sent_since(self, since: Mapping[str, datetime]) -> dict[str, list[datetime]]:
        """When each profile sent open messages after its time in `since`, sorted."""
        sent: dict[str, list[datetime]] = {}
        if not since:
            return sent
        parameters = arrays(SinceRow, [SinceRow(profile, at) for profile, at in since.items()])
        async with autocommit(self.engine) as connection:
            rows_sent = fetched(SentRow, await connection.execute(sql.SENT_SINCE, parameters))
        for row in rows_sent:
            sent.setdefault(row.profile_id, []).append(row.sent_at)
        return sent


_COUNTED = tuple(name for name in Counts.model_fields if name != "failures")
_NOTHING = Counts()


def _windows(sums: Sequence[WindowRow], failures: Sequence[WindowFailureRow]) -> dict[str, Windows]:
    """The windows, each summed up from its parts. A window without any count keeps its default value."""
    counts: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sums:
        window = counts.setdefault(row.profile_id, {}).setdefault(row.span, {})
        for name in _COUNTED:
            window[name] = window.get(name, 0) + getattr(row, name)
    for row in failures:
        window = counts.setdefault(row.profile_id, {}).setdefault(row.span, {})
        by_class: dict[str, int] = window.setdefault("failures", {})
        by_class[row.failure] = by_class.get(row.failure, 0) + row.number
    windows = {
        profile: {span: Counts(**window) for span, window in of_profile.items()}
        for profile, of_profile in counts.items()
    }
    return {
        profile: Windows(**{span: window for span, window in of_profile.items() if window != _NOTHING})
        for profile, of_profile in windows.items()
    }


def _anonymous(event: P) -> P:
    return event.model_copy(update={"recipient": ERASED})


def _sent_bucket(row: CountedDeliveryRow) -> MinuteBucket | None:
    if row.sent_at is None or row.profile_id is None or row.lane is None or row.package_id is None:
        return None
    return MinuteBucket(row.profile_id, minute_of(row.sent_at), row.lane, row.package_id)
