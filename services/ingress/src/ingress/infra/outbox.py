"""Outbox: records that are written in the transaction of what they tell, and published after its commit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.outbox import due
from ingress.infra.ports import SealedBus
from ingress.metrics import RELAYED
from ingress.sql import outbox as sql
from spreader.contract.events import OpenMessageRequested
from spreader.kafka.envelope import Envelope

BATCH_MAX = 200
BULK_MAX = 2  # records of large messages, of up to 500 recipients each, in one turn ...
BULK_PAUSE_SECONDS = 0.3  # ... and how long the next waits: a bulk import must leave room for replies
POLL_SECONDS = 1.0
CONTENDED_SECONDS = 0.1


async def put(connection: AsyncConnection, envelopes: Sequence[Envelope]) -> None:
    """Part of the caller's transaction; wake the relay when it has committed."""
    await connection.execute(
        sql.INSERT,
        {
            "topics": [each.topic for each in envelopes],
            "keys": [(each.key or b"").decode() for each in envelopes],
            "bodies": [None if each.body is None else each.body.decode() for each in envelopes],
            "headers": [json.dumps(dict(each.headers)) for each in envelopes],
        },
    )


@dataclass(frozen=True, slots=True)
class Relay:
    """Publishes in the order of the rows, one relay at a time over all instances, and deletes when Kafka has them.

    A kill between the two publishes a batch again: the same facts under the same ids, which readers drop.
    """

    engine: AsyncEngine
    bus: SealedBus

    async def turn(self) -> float:
        async with self.engine.begin() as connection:
            if not (await connection.execute(sql.LOCK)).scalar_one():
                return CONTENDED_SECONDS
            asked = {"bulk": OpenMessageRequested.topic, "bulk_max": BULK_MAX, "limit": BATCH_MAX}
            rows = (await connection.execute(sql.BATCH, asked)).all()
            if not rows:
                return POLL_SECONDS
            envelopes = [_envelope(row.topic, row.key, row.body, row.headers) for row in rows]
            await self.bus.publish_envelopes(*due(envelopes))
            await connection.execute(sql.DELETE, {"outbox_ids": [row.outbox_id for row in rows]})
        RELAYED.inc(len(rows))
        return BULK_PAUSE_SECONDS if len(rows) < BATCH_MAX and _is_bulk(rows) else 0.0


def _is_bulk(rows: Sequence[Any]) -> bool:
    return sum(row.topic == OpenMessageRequested.topic for row in rows) >= BULK_MAX


def _envelope(topic: str, key: str, body: str | None, headers: Mapping[str, str]) -> Envelope:
    return Envelope(topic, key.encode(), None if body is None else body.encode(), headers)
