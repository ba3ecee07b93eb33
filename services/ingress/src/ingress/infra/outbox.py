"""Outbox: stores records in the transaction of the change that they report. After the commit it publishes them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.metrics import RELAYED
from ingress.sql import outbox as sql
from ingress.sql.outbox import NewOutboxRow, OutboxRow, RefusedRow
from spreader.contract.events import COMPACTED, OpenMessageRequested
from spreader.kafka.bus import EnvelopeBus, RecordsRefused
from spreader.kafka.envelope import Envelope
from spreader.runtime.rows import arrays, fetched

BATCH_MAX = 200
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""A batch has at most this many bytes of large messages' records, and at most this many bytes of other records. The
first record of each of the two kinds is taken even if it alone is larger. The bytes are limited because the ingress
holds a batch in memory, and because Kafka must take the batch within seconds."""
BULK_MAX = 2
"""The most records of large messages in a batch. Each of these records has up to 500 recipients."""
BULK_PAUSE_SECONDS = 0.3
"""The pause after a batch with `BULK_MAX` records of large messages, so that a bulk import leaves room for replies."""
POLL_SECONDS = 3.0
"""The pause between two searches for records that another instance stored, but did not publish because it died. After
this instance has stored records, it wakes the relay at once."""
CONTENDED_SECONDS = 0.1
"""The pause after which an instance tries again to get the lock that another instance holds."""


async def put(connection: AsyncConnection, envelopes: Sequence[Envelope]) -> None:
    """Stores records in the caller's transaction. The caller wakes the relay after its commit."""
    rows = [
        NewOutboxRow(
            position,
            envelope.topic,
            (envelope.key or b"").decode(),
            None if envelope.body is None else envelope.body.decode(),
            json.dumps(dict(envelope.headers)),
        )
        for position, envelope in enumerate(envelopes)
    ]
    await connection.execute(sql.INSERT, arrays(NewOutboxRow, rows))


@dataclass(frozen=True, slots=True)
class EnvelopeRelay:
    """Publishes the outbox records in the order of their rows. Deletes them once Kafka has acknowledged them.

    A lock ensures that only one instance at a time does this. After a crash between publishing and deleting, the batch
    is published again with the same event ids, and consumers drop the repeats.
    """

    engine: AsyncEngine
    bus: EnvelopeBus

    async def run_once(self) -> float:
        """Publishes one batch. Returns the seconds until the next run."""
        async with self.engine.begin() as connection:
            if not (await connection.execute(sql.LOCK)).scalar_one():
                return CONTENDED_SECONDS
            params = {
                "bulk": OpenMessageRequested.topic,
                "bulk_max": BULK_MAX,
                "limit": BATCH_MAX,
                "bytes_max": BATCH_BYTES_MAX,
            }
            rows = fetched(OutboxRow, await connection.execute(sql.BATCH, params))
            if not rows:
                return POLL_SECONDS
            refused = await self._publish(rows)
            await connection.execute(sql.SET_ASIDE, arrays(RefusedRow, refused))
            done = {row.outbox_id for row in rows} - {row.outbox_id for row in refused}
            await connection.execute(sql.DELETE, {"outbox_ids": list(done)})
        RELAYED.inc(len(done))
        return BULK_PAUSE_SECONDS if len(rows) < BATCH_MAX and _has_full_bulk(rows) else 0.0

    async def _publish(self, rows: Sequence[OutboxRow]) -> list[RefusedRow]:
        """Publishes the rows. Returns the rows that Kafka refuses for good, with the reason. These rows stay in the
        table."""
        published = without_superseded(rows)
        try:
            await self.bus.publish_envelopes(*map(_envelope, published))
        except RecordsRefused as error:
            return [RefusedRow(published[record.index].outbox_id, record.reason) for record in error.refused]
        return []


def without_superseded(rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """The rows of a batch that are to be published. `rows` is in commit order.

    On a compacted topic, a record replaces all older records with the same key. So only the newest record of each key
    is published. Otherwise an older record could arrive after the newest, because a batch is published concurrently.
    """
    newest = {(row.topic, row.key): row.outbox_id for row in rows}
    return [row for row in rows if row.topic not in COMPACTED or newest[row.topic, row.key] == row.outbox_id]


def _has_full_bulk(rows: Sequence[OutboxRow]) -> bool:
    return sum(row.topic == OpenMessageRequested.topic for row in rows) >= BULK_MAX


def _envelope(row: OutboxRow) -> Envelope:
    return Envelope(row.topic, row.key.encode(), None if row.body is None else row.body.encode(), row.headers)
