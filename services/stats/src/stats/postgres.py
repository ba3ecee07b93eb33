"""Store: what was counted, and every statement that the stats run."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.boundary import Received
from spreader.events import Counts, CustomerMessage, DeliveryOutcome, Event, Lane, Windows
from spreader.positions import Seen
from stats.core.signs import Sign
from stats.core.spans import Spans
from stats.core.tally import Bucket, Marks, Sums, Tally

E = TypeVar("E", bound=Event)

MINUTES_KEPT = timedelta(days=14)
FORGET_ROWS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction: what is fresh, what is known of it, and the counts that follow."""

    connection: AsyncConnection
    positions: Seen

    async def fresh(self, batch: Sequence[Received[E]]) -> list[E]:
        return [each.event for each in await self.positions.fresh(self.connection, batch)]

    async def marks(self, outcomes: Sequence[DeliveryOutcome]) -> dict[str, Marks]:
        """What was counted of these deliveries. They stay locked, new ones too: nobody counts them at the same time."""
        deliveries = {"deliveries": sorted({outcome.delivery_id for outcome in outcomes})}
        await self.connection.execute(_DELIVERY_ENSURE, deliveries)
        rows = await self.connection.execute(_DELIVERY_LOCK, deliveries)
        return {row.delivery_id: Marks(row.marks) for row in rows}

    async def unseen(self, messages: Sequence[CustomerMessage]) -> list[CustomerMessage]:
        """The messages that were never seen before; from now on they were."""
        by_id = {(message.profile_id, message.gateway_message_id): message for message in messages}
        ids = sorted(by_id)
        rows = await self.connection.execute(
            _CUSTOMER_MESSAGE_NOTE, {"profiles": [each for each, _ in ids], "messages": [each for _, each in ids]}
        )
        return [by_id[row.profile_id, row.gateway_message_id] for row in rows]

    async def note(self, signs: Sequence[Sign]) -> None:
        if signs:
            columns = {
                "profiles": [sign.profile_id for sign in signs],
                "lanes": [sign.lane for sign in signs],
                "ats": [sign.at for sign in signs],
                "evidences": [sign.evidence for sign in signs],
            }
            await self.connection.execute(_SIGN_NOTE, columns)

    async def save(self, tally: Tally) -> None:
        marks = sorted(tally.marks.items())
        await self.connection.execute(
            _DELIVERY_MARK, {"deliveries": [each for each, _ in marks], "marks": [int(each) for _, each in marks]}
        )
        await self.connection.execute(_MINUTE_ADD, _columns(tally.added))


@dataclass(frozen=True, slots=True)
class Store:
    engine: AsyncEngine
    positions: Seen

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Unit]:
        async with self.engine.begin() as connection:
            yield Unit(connection, self.positions)

    async def windows(self, profiles: Collection[str], spans: Spans) -> dict[str, Windows]:
        """The windows of those profiles that have any count in them."""
        async with self.engine.connect() as connection:
            moments = {"hour": spans.hour, "three_hours": spans.three_hours, "day": spans.day, "until": spans.until}
            rows = await connection.execute(_WINDOWS, {"profiles": list(profiles), **moments})
            found: dict[str, dict[str, Counts]] = {}
            for row in rows:
                counts = Counts(sent=row.sent, sent_open=row.sent_open, failed=row.failed, received=row.received)
                found.setdefault(row.profile_id, {})[row.span] = counts
        return {profile: Windows(**counts) for profile, counts in found.items()}

    async def signs(self, profiles: Collection[str]) -> dict[tuple[str, Lane], Sign]:
        """The newest sign against each lane of these profiles."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(_SIGNS, {"profiles": list(profiles)})
            return {(row.profile_id, row.lane): Sign(row.profile_id, row.lane, row.at, row.evidence) for row in rows}

    async def forget_old(self, now: datetime) -> bool:
        """Delete a bounded piece of what is too old to matter; answers whether there may be more."""
        async with self.engine.begin() as connection:
            old = {"rows_max": FORGET_ROWS_MAX, "before": now - MINUTES_KEPT}
            results = [await connection.execute(statement, old) for statement in _FORGET]
        return any(result.rowcount == FORGET_ROWS_MAX for result in results)


def _columns(added: Mapping[Bucket, Sums]) -> dict[str, list[object]]:
    """Sorted: transactions that meet in some buckets take them in the same order, so none waits in a circle."""
    names = ("profiles", "minutes", "lanes", "sent", "delivered", "read", "failed", "received")
    rows = [(bucket.profile_id, bucket.minute, bucket.lane, *astuple(added[bucket])) for bucket in sorted(added)]
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


_DELIVERY_ENSURE = text("""
INSERT INTO stats.delivery (delivery_id, marks)
SELECT delivery_id, 0 FROM unnest(CAST(:deliveries AS text[])) AS delivery_id
ON CONFLICT DO NOTHING""")

_DELIVERY_LOCK = text("""
SELECT delivery_id, marks FROM stats.delivery
WHERE delivery_id = ANY(CAST(:deliveries AS text[])) ORDER BY delivery_id FOR UPDATE""")

_DELIVERY_MARK = text("""
UPDATE stats.delivery SET marks = new.marks
FROM unnest(CAST(:deliveries AS text[]), CAST(:marks AS smallint[])) AS new (delivery_id, marks)
WHERE delivery.delivery_id = new.delivery_id""")

_CUSTOMER_MESSAGE_NOTE = text("""
INSERT INTO stats.customer_message (profile_id, gateway_message_id)
SELECT profile_id, gateway_message_id
FROM unnest(CAST(:profiles AS text[]), CAST(:messages AS text[])) AS new (profile_id, gateway_message_id)
ON CONFLICT DO NOTHING RETURNING profile_id, gateway_message_id""")

_MINUTE_ADD = text("""
INSERT INTO stats.minute AS minute (profile_id, minute, lane, sent, delivered, read, failed, received)
SELECT * FROM unnest(
    CAST(:profiles AS text[]), CAST(:minutes AS timestamptz[]), CAST(:lanes AS text[]),
    CAST(:sent AS int[]), CAST(:delivered AS int[]), CAST(:read AS int[]), CAST(:failed AS int[]),
    CAST(:received AS int[]))
ON CONFLICT (profile_id, minute, lane) DO UPDATE SET
    sent = minute.sent + excluded.sent,
    delivered = minute.delivered + excluded.delivered,
    read = minute.read + excluded.read,
    failed = minute.failed + excluded.failed,
    received = minute.received + excluded.received""")

_SIGN_NOTE = text("""
INSERT INTO stats.sign AS known (profile_id, lane, at, evidence)
SELECT * FROM unnest(CAST(:profiles AS text[]), CAST(:lanes AS text[]), CAST(:ats AS timestamptz[]),
                     CAST(:evidences AS text[]))
ON CONFLICT (profile_id, lane) DO UPDATE SET at = excluded.at, evidence = excluded.evidence
WHERE known.at < excluded.at""")

_SIGNS = text("""
SELECT profile_id, lane, at, evidence FROM stats.sign WHERE profile_id = ANY(CAST(:profiles AS text[]))""")

_WINDOWS = text("""
SELECT minute.profile_id, span.name AS span, sum(minute.sent) AS sent,
       coalesce(sum(minute.sent) FILTER (WHERE minute.lane = 'open'), 0) AS sent_open,
       sum(minute.failed) AS failed, sum(minute.received) AS received
FROM stats.minute AS minute
JOIN (VALUES ('hour', CAST(:hour AS timestamptz)), ('three_hours', CAST(:three_hours AS timestamptz)),
             ('day', CAST(:day AS timestamptz))) AS span (name, after) ON minute.minute > span.after
WHERE minute.profile_id = ANY(CAST(:profiles AS text[]))
  AND minute.minute > CAST(:day AS timestamptz) AND minute.minute <= CAST(:until AS timestamptz)
GROUP BY minute.profile_id, span.name""")

# Minutes are of the system's time. Marks are there for repeats, which come from real machines: they age by the wall.
# 8 days: longer than a record stays in its topic. 35: a phone that was off for a month still sends its receipts.
_FORGET = (
    text("""
DELETE FROM stats.minute WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM stats.minute WHERE minute < CAST(:before AS timestamptz) LIMIT CAST(:rows_max AS int)))"""),
    text("""
DELETE FROM stats.delivery WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM stats.delivery WHERE noted_at < now() - interval '35 days' LIMIT CAST(:rows_max AS int)))"""),
    text("""
DELETE FROM stats.customer_message WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM stats.customer_message WHERE noted_at < now() - interval '8 days'
    LIMIT CAST(:rows_max AS int)))"""),
)
