"""Status projection: the status of messages and deliveries, folded from events."""

from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.delivery_updates import DeliveryUpdate, fold
from ingress.infra import outbox
from ingress.sql import status as sql
from ingress.sql.status import AcceptedMessage, CountedMessage, FoldedDelivery, ShownDelivery
from spreader.contract.events import Lane
from spreader.contract.ids import creation_time
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.envelope import Envelope
from spreader.runtime.postgres import autocommit
from spreader.runtime.rehearsal import free_connections
from spreader.runtime.rows import arrays, fetched

ERASURES = ErasureTable("ingress")
ROWS_MAX = 500
"""The most deliveries that one statement stores. Between two statements, other requests are served."""


@dataclass(frozen=True, slots=True)
class ListPosition:
    """The position of a message in its package's list."""

    accepted_at: datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class StatusProjection:
    """Stores folded events. Events may be repeated, and may come in any order, because a message is inserted only once
    and a delivery only advances."""

    engine: AsyncEngine
    erasures: ErasureTable = ERASURES

    async def rehearse(self) -> None:
        """On each free connection, prepare the statements that a reply needs. Otherwise the first reply would wait for
        this. Nothing is written, because the statements get no rows."""
        async with free_connections(self.engine) as connections:
            for connection in connections:
                await connection.execute(sql.MESSAGES_INSERT, arrays(AcceptedMessage, []))
                await connection.execute(sql.DELIVERIES_FOLD, self._folded([]))

    async def accept_large(self, message: AcceptedMessage, records: AsyncIterable[Sequence[Envelope]]) -> None:
        """Stores a message, and all its records in the outbox, in one transaction. `records` yields the records in
        groups. One statement stores one group.

        Does nothing if the message exists, because an earlier request with the same Idempotency-Key has stored the
        message and its records.
        """
        async with self.engine.begin() as connection:
            if (await connection.execute(sql.MESSAGES_INSERT, arrays(AcceptedMessage, [message]))).rowcount:
                async for envelopes in records:
                    await outbox.put(connection, envelopes)

    async def fold_messages(self, messages: Iterable[AcceptedMessage]) -> None:
        by_id = {message.message_id: message for message in messages}
        ordered = [by_id[message_id] for message_id in sorted(by_id)]
        async with autocommit(self.engine) as connection:
            await connection.execute(sql.MESSAGES_INSERT, arrays(AcceptedMessage, ordered))

    async def fold_deliveries(self, updates: Iterable[DeliveryUpdate]) -> None:
        rows = [_row(update) for update in fold(updates)]
        for start in range(0, len(rows), ROWS_MAX):
            async with autocommit(self.engine) as connection:
                await connection.execute(sql.DELIVERIES_FOLD, self._folded(rows[start : start + ROWS_MAX]))

    def _folded(self, rows: Sequence[FoldedDelivery]) -> dict[str, object]:
        return {"erasure_keys": self.erasures.keys, **arrays(FoldedDelivery, rows)}

    async def message(self, message_id: str) -> CountedMessage | None:
        async with autocommit(self.engine) as connection:
            result = await connection.execute(sql.MESSAGE, {"message_id": message_id})
            return next(iter(fetched(CountedMessage, result)), None)

    async def messages(
        self, package_id: str, lane: Lane | None, before: ListPosition | None, limit: int
    ) -> Sequence[CountedMessage]:
        """A package's messages of one lane or of both, newest first. `before`: where the previous page ended."""
        params: dict[str, Any] = {"package_id": package_id, "limit": limit}
        if lane is not None:
            params["lane"] = lane
        if before is not None:
            params |= {"before_at": before.accepted_at, "before_id": before.message_id}
        async with autocommit(self.engine) as connection:
            page = await connection.execute(sql.messages(lane is not None, before is not None), params)
            return fetched(CountedMessage, page)

    async def cancel(self, message_id: str, now: datetime) -> None:
        """Stores the time of the first request to cancel the message."""
        async with autocommit(self.engine) as connection:
            await connection.execute(sql.MESSAGE_CANCEL, {"message_id": message_id, "now": now})

    async def delivery(self, delivery_id: str) -> ShownDelivery | None:
        async with autocommit(self.engine) as connection:
            result = await connection.execute(sql.DELIVERY, {"delivery_id": delivery_id})
            return next(iter(fetched(ShownDelivery, result)), None)

    async def deliveries(self, message_id: str, after: str, limit: int) -> Sequence[ShownDelivery]:
        """A message's deliveries after the id `after`, ordered by id."""
        params = {"message_id": message_id, "after": after, "limit": limit}
        async with autocommit(self.engine) as connection:
            return fetched(ShownDelivery, await connection.execute(sql.DELIVERIES, params))


def _row(update: DeliveryUpdate) -> FoldedDelivery:
    return FoldedDelivery(
        delivery_id=update.delivery_id,
        message_id=update.message_id,
        package_id=update.package_id,
        lane=update.lane,
        recipient=update.recipient,
        status=update.status,
        stage=update.progress.stage,
        attempt=update.progress.attempt,
        turn=update.progress.turn,
        at=update.at,
        profile_id=update.profile_id,
        index=update.index,
        reason=update.reason,
        failure=update.failure,
        gateway_message_id=update.gateway_message_id,
        sent_at=update.sent_at,
        requested_at=creation_time(update.message_id) or update.at,
    )
