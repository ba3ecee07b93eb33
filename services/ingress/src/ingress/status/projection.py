"""Status projection: the status of messages and deliveries, folded from events."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.delivery_updates import DeliveryUpdate, fold
from ingress.infra import outbox
from ingress.sql import deliveries
from ingress.sql import status as sql
from ingress.sql.status import CountedMessage, FoldedDelivery, NewMessage, ShownDelivery
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
                await self.insert(connection, [])
                await connection.execute(sql.DELIVERIES_FOLD, self._folded([]))

    async def accept_large(self, message: NewMessage, records: AsyncIterable[Sequence[Envelope]]) -> None:
        """Stores a message, and all its records in the outbox, in one transaction. `records` yields those that one
        statement stores.

        Does nothing if the message exists, because an earlier request with the same Idempotency-Key has stored the
        message and its records.
        """
        async with self.engine.begin() as connection:
            if await self.insert(connection, [message]):
                async for envelopes in records:
                    await outbox.put(connection, envelopes)

    async def fold_messages(self, messages: Iterable[NewMessage]) -> None:
        by_id = {message.message_id: message for message in messages}
        ordered = [by_id[message_id] for message_id in sorted(by_id)]
        async with autocommit(self.engine) as connection:
            await self.insert(connection, ordered)

    async def fold_deliveries(self, updates: Iterable[DeliveryUpdate]) -> None:
        rows = [_row(update) for update in fold(updates)]
        for start in range(0, len(rows), ROWS_MAX):
            async with autocommit(self.engine) as connection:
                await connection.execute(sql.DELIVERIES_FOLD, self._folded(rows[start : start + ROWS_MAX]))

    async def insert(self, connection: AsyncConnection, messages: Sequence[NewMessage]) -> int:
        """Stores those of the messages that are new, in the caller's transaction. Returns how many are new."""
        return (await connection.execute(sql.MESSAGES_INSERT, self._inserted(messages))).rowcount

    def _inserted(self, messages: Sequence[NewMessage]) -> dict[str, object]:
        return {"erasure_keys": self.erasures.keys, **arrays(NewMessage, messages)}

    def _folded(self, rows: Sequence[FoldedDelivery]) -> dict[str, object]:
        return {"erasure_keys": self.erasures.keys, **arrays(FoldedDelivery, rows)}

    async def message(self, message_id: str) -> CountedMessage | None:
        async with autocommit(self.engine) as connection:
            result = await connection.execute(sql.MESSAGE, {"message_id": message_id})
            return next(iter(fetched(CountedMessage, result)), None)

    async def messages(self, package_id: str, filters: Mapping[str, Any], limit: int) -> Sequence[CountedMessage]:
        """A package's messages, newest first. `filters`: the parameters of `ingress.sql.status.messages`."""
        params = {"package_id": package_id, "limit": limit, **filters}
        async with autocommit(self.engine) as connection:
            return fetched(CountedMessage, await connection.execute(sql.messages(frozenset(filters)), params))

    async def cancel(self, message_id: str, now: datetime) -> None:
        """Stores the time of the first request to cancel the message."""
        async with autocommit(self.engine) as connection:
            await connection.execute(sql.MESSAGE_CANCEL, {"message_id": message_id, "now": now})

    async def delivery(self, delivery_id: str) -> ShownDelivery | None:
        async with autocommit(self.engine) as connection:
            result = await connection.execute(sql.DELIVERY, {"delivery_id": delivery_id})
            return next(iter(fetched(ShownDelivery, result)), None)

    async def deliveries(
        self, filters: Mapping[str, Any], limit: int, *, of_message: bool = False
    ) -> Sequence[ShownDelivery]:
        """The deliveries that all `filters` let pass. `filters`: the parameters of `ingress.sql.deliveries.page`."""
        statement = deliveries.page(frozenset(filters), of_message=of_message)
        async with autocommit(self.engine) as connection:
            return fetched(ShownDelivery, await connection.execute(statement, {"limit": limit, **filters}))


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
        delivered_at=update.delivered_at,
        read_at=update.read_at,
        requested_at=creation_time(update.message_id) or update.at,
    )
