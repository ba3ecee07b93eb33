"""Outbox: stores records in the transaction of the change that they report, and publishes them after its commit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.infra.publisher import EnvelopeBus
from ingress.metrics import RELAYED
from ingress.sql import outbox as sql
from ingress.sql.outbox import NewOutboxRow, OutboxRow
from spreader.contract.events import COMPACTED, OpenMessageRequested
from spreader.kafka.envelope import Envelope
from spreader.runtime.rows import arrays, fetched

BATCH_MAX = 200
BULK_MAX = 2
"""The most records of large messages in a batch. Each of these records has up to 500 recipients."""
BULK_PAUSE_SECONDS = 0.3
"""The pause after a batch with `BULK_MAX` such records, so that a bulk import leaves room for replies."""
POLL_SECONDS = 1.0
CONTENDED_SECONDS = 0.1
"""The pause while another instance holds the lock."""


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
    """Publishes the records in the order of their rows and deletes them once Kafka has acknowledged them.

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
            params = {"bulk": OpenMessageRequested.topic, "bulk_max": BULK_MAX, "limit": BATCH_MAX}
            rows = fetched(OutboxRow, await connection.execute(sql.BATCH, params))
            if not rows:
                return POLL_SECONDS
            await self.bus.publish_envelopes(*without_superseded([_envelope(row) for row in rows]))
            await connection.execute(sql.DELETE, {"outbox_ids": [row.outbox_id for row in rows]})
        RELAYED.inc(len(rows))
        return BULK_PAUSE_SECONDS if len(rows) < BATCH_MAX and _has_full_bulk(rows) else 0.0


def without_superseded(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """The records of a batch that are to be published; `envelopes` is in commit order.

    On a compacted topic, a record replaces the older records with its key. So only the newest record of each key is
    published. Records of a batch are published concurrently, so an older record could otherwise arrive after the
    newest.
    """
    newest = {(envelope.topic, envelope.key): index for index, envelope in enumerate(envelopes)}
    return [
        envelope
        for index, envelope in enumerate(envelopes)
        if envelope.topic not in COMPACTED or newest[envelope.topic, envelope.key] == index
    ]


def _has_full_bulk(rows: Sequence[OutboxRow]) -> bool:
    return sum(row.topic == OpenMessageRequested.topic for row in rows) >= BULK_MAX


def _envelope(row: OutboxRow) -> Envelope:
    return Envelope(row.topic, row.key.encode(), None if row.body is None else row.body.encode(), row.headers)
