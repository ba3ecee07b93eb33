"""Outbox: records that are stored in the transaction of the change they report, and published after its commit."""

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
BULK_MAX = 2  # records of large messages, of up to 500 recipients each, per run ...
BULK_PAUSE_SECONDS = 0.3  # ... and the pause after them, so that a bulk import leaves room for replies
POLL_SECONDS = 1.0
CONTENDED_SECONDS = 0.1


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

    A lock lets one instance at a time do this. A crash between publishing and deleting publishes a batch twice, with
    the same event ids, which consumers drop.
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
        return BULK_PAUSE_SECONDS if len(rows) < BATCH_MAX and _is_bulk(rows) else 0.0


def without_superseded(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """The records to publish of a batch in commit order.

    On a compacted topic a newer record of a key replaces the older ones. Only the newest is published: the records of a
    batch are written concurrently, so an older one could otherwise overtake it.
    """
    newest = {(envelope.topic, envelope.key): index for index, envelope in enumerate(envelopes)}
    return [
        envelope
        for index, envelope in enumerate(envelopes)
        if envelope.topic not in COMPACTED or newest[envelope.topic, envelope.key] == index
    ]


def _is_bulk(rows: Sequence[OutboxRow]) -> bool:
    return sum(row.topic == OpenMessageRequested.topic for row in rows) >= BULK_MAX


def _envelope(row: OutboxRow) -> Envelope:
    return Envelope(row.topic, row.key.encode(), None if row.body is None else row.body.encode(), row.headers)
