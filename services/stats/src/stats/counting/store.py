"""Store: what was counted, in one transaction a batch; and the windows over it."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.contract.events import Counts, CustomerMessage, DeliveryOutcome, Event, Windows
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from stats.core.contacts import ContactHistory
from stats.core.sums import MinuteBucket
from stats.core.tally import ContactKey, CountedDelivery, Marks, Tally
from stats.core.windows import WindowStarts
from stats.counting import rows as columns
from stats.counting.sql import ADD, ADD_FAILURES, ADD_MESSAGES, FAILURES, ROLLUPS, WINDOWS

E = TypeVar("E", bound=Event)

CONTACT = ("spoke_at", "wrote_first_at", "wrote_at", "asked_at", "asked_by", "opened_at", "receives")


@dataclass(frozen=True, slots=True)
class CountTransaction:
    """One transaction: what is fresh, what is known of it, and the counts that follow."""

    connection: AsyncConnection
    positions: Deduplicator

    async def fresh(self, batch: Sequence[Received[E]]) -> list[E]:
        return [each.event for each in await self.positions.unseen(self.connection, batch)]

    async def known(self, outcomes: Sequence[DeliveryOutcome]) -> dict[str, CountedDelivery]:
        """What was counted of these deliveries. They stay locked, new ones too: nobody counts them at the same time."""
        deliveries = {"deliveries": sorted({outcome.delivery_id for outcome in outcomes})}
        await self.connection.execute(_DELIVERY_ENSURE, deliveries)
        rows = await self.connection.execute(_DELIVERY_LOCK, deliveries)
        return {row.delivery_id: CountedDelivery(Marks(row.marks), _sent_in(row)) for row in rows}

    async def unrefused(self, refusals: Sequence[DeliveryOutcome]) -> list[DeliveryOutcome]:
        """Those that were never seen before; from now on they were."""
        by_id = {outcome.event_id: outcome for outcome in refusals}
        if not by_id:
            return []
        rows = await self.connection.execute(_REFUSAL_NOTE, {"events": sorted(by_id)})
        return [by_id[row.event_id] for row in rows]

    async def unseen(self, messages: Sequence[CustomerMessage]) -> list[CustomerMessage]:
        """The messages that were never seen before, in their order; from now on they were."""
        by_id = {(message.profile_id, message.gateway_message_id): message for message in messages}
        ids = sorted(by_id)
        rows = await self.connection.execute(
            _CUSTOMER_MESSAGE_NOTE, {"profiles": [each for each, _ in ids], "messages": [each for _, each in ids]}
        )
        new = {(row.profile_id, row.gateway_message_id) for row in rows}
        return [message for name, message in by_id.items() if name in new]

    async def contacts(self, places: Collection[ContactKey]) -> dict[ContactKey, ContactHistory]:
        """What is known of these contacts. They stay locked, new ones too."""
        if not places:
            return {}
        ordered = sorted(places)
        asked = {"profiles": [profile for profile, _ in ordered], "recipients": [each for _, each in ordered]}
        await self.connection.execute(_CONTACT_ENSURE, asked)
        rows = await self.connection.execute(_CONTACT_LOCK, asked)
        return {
            (row.profile_id, row.recipient): ContactHistory(**{name: getattr(row, name) for name in CONTACT})
            for row in rows
        }

    async def save(self, tally: Tally) -> None:
        await self._save_deliveries(tally)
        if tally.contacts:
            places = sorted(tally.contacts)
            named = {name: [getattr(tally.contacts[place], name) for place in places] for name in CONTACT}
            whose = {"profiles": [profile for profile, _ in places], "recipients": [each for _, each in places]}
            await self.connection.execute(_CONTACT_SAVE, {**whose, **named})
        for table in ROLLUPS if tally.added else ():
            await self.connection.execute(ADD[table], _asked(table, columns.counts(table, tally)))
        for table in ROLLUPS if tally.failures else ():
            await self.connection.execute(ADD_FAILURES[table], _asked(table, columns.failures(table, tally.failures)))
        if tally.messages:
            await self.connection.execute(ADD_MESSAGES, columns.messages(tally))

    async def _save_deliveries(self, tally: Tally) -> None:
        sent = [(each.outcome, each) for each in tally.sent_deliveries]
        new = {outcome.delivery_id for outcome, _ in sent}
        marks = sorted((name, marks) for name, marks in tally.marks.items() if name not in new)
        if marks:
            await self.connection.execute(
                _DELIVERY_MARK, {"deliveries": [each for each, _ in marks], "marks": [int(each) for _, each in marks]}
            )
        if sent:
            named = {
                "deliveries": [outcome.delivery_id for outcome, _ in sent],
                "profiles": [outcome.profile_id for outcome, _ in sent],
                "packages": [outcome.package_id for outcome, _ in sent],
                "messages": [outcome.message_id for outcome, _ in sent],
                "lanes": [outcome.lane for outcome, _ in sent],
                "marks": [int(tally.marks[outcome.delivery_id]) for outcome, _ in sent],
                "sents": [outcome.at for outcome, _ in sent],
                "waits": [_waits(tally.marks[outcome.delivery_id]) for outcome, _ in sent],
                "fingerprints": [outcome.fingerprint for outcome, _ in sent],
                "news": [each.is_new for _, each in sent],
                "receives": [each.receives for _, each in sent],
            }
            await self.connection.execute(_DELIVERY_SENT, named)


@dataclass(frozen=True, slots=True)
class CountStore:
    engine: AsyncEngine
    positions: Deduplicator

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[CountTransaction]:
        async with self.engine.begin() as connection:
            yield CountTransaction(connection, self.positions)

    async def windows(self, profiles: Collection[str], spans: WindowStarts) -> dict[str, Windows]:
        """The windows of those profiles that have any count in them."""
        first, last = spans.whole_hours
        moments = {
            "hour": spans.hour, "two_hours": spans.two_hours, "three_hours": spans.three_hours, "day": spans.day,
            "week": spans.week, "first": first, "last": last, "until": spans.until,
        }  # fmt: skip
        found: dict[str, dict[str, dict[str, Any]]] = {}
        async with self.engine.connect() as connection:
            for row in await connection.execute(WINDOWS, {"profiles": list(profiles), **moments}):
                counts = found.setdefault(row.profile_id, {}).setdefault(row.span, {})
                for name in _COUNTED:
                    counts[name] = counts.get(name, 0) + getattr(row, name)
            for row in await connection.execute(FAILURES, {"profiles": list(profiles), **moments}):
                counts = found.setdefault(row.profile_id, {}).setdefault(row.span, {})
                classes: dict[str, int] = counts.setdefault("failures", {})
                classes[row.failure] = classes.get(row.failure, 0) + row.number
        return {profile: _windows(spans_of) for profile, spans_of in found.items()}


_COUNTED = tuple(name for name in Counts.model_fields if name != "failures")


def _windows(spans: Mapping[str, Mapping[str, Any]]) -> Windows:
    """A window in which nothing happened is as if it were not there."""
    counts = {span: Counts(**given) for span, given in spans.items()}
    return Windows(**{span: each for span, each in counts.items() if each != _NOTHING})


_NOTHING = Counts()


def _sent_in(row: Any) -> MinuteBucket | None:
    if row.sent_at is None:
        return None
    return MinuteBucket(row.profile_id, row.sent_at.replace(second=0, microsecond=0), row.lane, row.package_id)


def _waits(marks: Marks) -> bool:
    """Whether neither WhatsApp's server nor a failure was heard of it."""
    return not marks & (Marks.ACKNOWLEDGED | Marks.FAILED)


def _asked(table: str, given: columns.Columns) -> columns.Columns:
    """Tables of packages have no column for the package beside `whose`."""
    return {name: each for name, each in given.items() if name != "packages" or not table.startswith("package")}


_DELIVERY_ENSURE = text("""
INSERT INTO stats.delivery (delivery_id, marks)
SELECT delivery_id, 0 FROM unnest(CAST(:deliveries AS text[])) AS delivery_id
ON CONFLICT DO NOTHING""")

_DELIVERY_LOCK = text("""
SELECT delivery_id, marks, profile_id, package_id, lane, sent_at FROM stats.delivery
WHERE delivery_id = ANY(CAST(:deliveries AS text[])) ORDER BY delivery_id FOR UPDATE""")

_DELIVERY_MARK = text(f"""
UPDATE stats.delivery SET marks = new.marks,
    waits = waits AND new.marks & {int(Marks.ACKNOWLEDGED | Marks.FAILED)} = 0
FROM unnest(CAST(:deliveries AS text[]), CAST(:marks AS smallint[])) AS new (delivery_id, marks)
WHERE delivery.delivery_id = new.delivery_id""")

_DELIVERY_SENT = text("""
UPDATE stats.delivery SET marks = new.marks,
    profile_id = new.profile_id, package_id = new.package_id, message_id = new.message_id,
    lane = new.lane, sent_at = new.sent_at, heard_at = now(), waits = new.waits, fingerprint = new.fingerprint,
    is_new = new.is_new, receives = new.receives
FROM unnest(CAST(:deliveries AS text[]), CAST(:profiles AS text[]), CAST(:packages AS text[]),
            CAST(:messages AS text[]), CAST(:lanes AS text[]), CAST(:marks AS smallint[]),
            CAST(:sents AS timestamptz[]), CAST(:waits AS boolean[]), CAST(:fingerprints AS text[]),
            CAST(:news AS boolean[]), CAST(:receives AS boolean[]))
     AS new (delivery_id, profile_id, package_id, message_id, lane, marks, sent_at, waits, fingerprint, is_new,
             receives)
WHERE delivery.delivery_id = new.delivery_id""")

_REFUSAL_NOTE = text("""
INSERT INTO stats.refusal (event_id) SELECT event_id FROM unnest(CAST(:events AS text[])) AS event_id
ON CONFLICT DO NOTHING RETURNING event_id""")

_CUSTOMER_MESSAGE_NOTE = text("""
INSERT INTO stats.customer_message (profile_id, gateway_message_id)
SELECT profile_id, gateway_message_id
FROM unnest(CAST(:profiles AS text[]), CAST(:messages AS text[])) AS new (profile_id, gateway_message_id)
ON CONFLICT DO NOTHING RETURNING profile_id, gateway_message_id""")

_PLACES = "unnest(CAST(:profiles AS text[]), CAST(:recipients AS text[])) AS place (profile_id, recipient)"

_CONTACT_ENSURE = text(f"""
INSERT INTO stats.contact (profile_id, recipient) SELECT profile_id, recipient FROM {_PLACES}
ON CONFLICT DO NOTHING""")

_CONTACT_LOCK = text(f"""
SELECT profile_id, recipient, {", ".join(f"contact.{name}" for name in CONTACT)}
FROM stats.contact JOIN {_PLACES} USING (profile_id, recipient)
ORDER BY profile_id, recipient FOR UPDATE OF contact""")

_CONTACT_SAVE = text(f"""
UPDATE stats.contact SET {", ".join(f"{name} = new.{name}" for name in CONTACT)}, touched_at = now()
FROM unnest(CAST(:profiles AS text[]), CAST(:recipients AS text[]), CAST(:spoke_at AS timestamptz[]),
            CAST(:wrote_first_at AS timestamptz[]), CAST(:wrote_at AS timestamptz[]), CAST(:asked_at AS timestamptz[]),
            CAST(:asked_by AS text[]), CAST(:opened_at AS timestamptz[]), CAST(:receives AS boolean[]))
     AS new (profile_id, recipient, {", ".join(CONTACT)})
WHERE contact.profile_id = new.profile_id AND contact.recipient = new.recipient""")
