"""Status view: what has become of messages and deliveries, folded from events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.facts import Fact, fold
from ingress.infra import outbox
from ingress.sql import status as sql
from spreader.contract.events import Lane
from spreader.kafka.envelope import Envelope

ROWS_MAX = 5_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message as it was asked for."""

    message_id: str
    package_id: str
    lane: Lane
    kind: str
    recipients: int
    accepted_at: datetime
    cancelled_at: datetime | None = None
    traceparent: str | None = None
    """Written, and read by receipts alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A message's place in its package's list."""

    accepted_at: datetime
    message_id: str


@dataclass(frozen=True, slots=True)
class StatusView:
    """Every write may come again and in any order: a message is inserted once, a delivery only goes forward."""

    engine: AsyncEngine

    async def accept_large(self, message: Accepted, envelopes: Sequence[Envelope]) -> None:
        """A message of many records: its row and all of them in one transaction, or nothing.

        Only another try of the same request has the same id: it finds the row, written together with the same records.
        """
        async with self.engine.begin() as connection:
            if (await connection.execute(sql.MESSAGES_INSERT, _message_columns([message]))).rowcount:
                await outbox.put(connection, envelopes)

    async def fold_messages(self, messages: Iterable[Accepted]) -> None:
        ordered = sorted({each.message_id: each for each in messages}.values(), key=lambda each: each.message_id)
        async with self.engine.begin() as connection:
            await connection.execute(sql.MESSAGES_INSERT, _message_columns(ordered))

    async def fold_deliveries(self, facts: Iterable[Fact]) -> None:
        folded = fold(facts)
        for start in range(0, len(folded), ROWS_MAX):
            async with self.engine.begin() as connection:
                await connection.execute(sql.DELIVERIES_FOLD, _delivery_columns(folded[start : start + ROWS_MAX]))

    async def message(self, message_id: str) -> tuple[Accepted, dict[str, int]] | None:
        """A message with its deliveries counted by status."""
        place = {"message_id": message_id}
        async with self.engine.connect() as connection:
            row = (await connection.execute(sql.MESSAGE, place)).one_or_none()
            if row is None:
                return None
            counts = await connection.execute(sql.MESSAGE_COUNTS, place)
            return _accepted(row), {row.status: row.deliveries for row in counts}

    async def messages(
        self, package_id: str, lane: Lane | None, before: Place | None, limit: int
    ) -> list[tuple[Accepted, dict[str, int]]]:
        """A package's messages, newest first, each with its deliveries counted by status."""
        asked = {
            "package_id": package_id, "lane": lane, "limit": limit,
            "before_at": before and before.accepted_at, "before_id": before and before.message_id,
        }  # fmt: skip
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.MESSAGES, asked)
            return [(_accepted(row), row.counted) for row in rows]

    async def cancel(self, message_id: str, now: datetime) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(sql.MESSAGE_CANCEL, {"message_id": message_id, "now": now})

    async def delivery(self, delivery_id: str) -> dict[str, Any] | None:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.DELIVERY, {"delivery_id": delivery_id})
            row = rows.mappings().one_or_none()
            return None if row is None else _delivery(row)

    async def deliveries(self, message_id: str, after: str, limit: int) -> list[dict[str, Any]]:
        place = {"message_id": message_id, "after": after, "limit": limit}
        async with self.engine.connect() as connection:
            rows = await connection.execute(sql.DELIVERIES, place)
            return [_delivery(row) for row in rows.mappings()]


def _accepted(row: Row[Any]) -> Accepted:
    return Accepted(
        row.message_id, row.package_id, row.lane, row.kind, row.recipients, row.accepted_at, row.cancelled_at
    )


def _delivery(row: RowMapping) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _message_columns(messages: Sequence[Accepted]) -> dict[str, list[Any]]:
    return {
        "message_ids": [each.message_id for each in messages],
        "package_ids": [each.package_id for each in messages],
        "lanes": [each.lane for each in messages],
        "kinds": [each.kind for each in messages],
        "recipients": [each.recipients for each in messages],
        "accepted_ats": [each.accepted_at for each in messages],
        "traceparents": [each.traceparent for each in messages],
    }


def _delivery_columns(facts: Sequence[Fact]) -> dict[str, list[Any]]:
    return {
        "delivery_ids": [each.delivery_id for each in facts],
        "message_ids": [each.message_id for each in facts],
        "package_ids": [each.package_id for each in facts],
        "lanes": [each.lane for each in facts],
        "recipients": [each.recipient for each in facts],
        "statuses": [each.status for each in facts],
        "stages": [each.progress.stage for each in facts],
        "attempts": [each.progress.attempt for each in facts],
        "turns": [each.progress.turn for each in facts],
        "ats": [each.at for each in facts],
        "profile_ids": [each.profile_id for each in facts],
        "indexes": [each.index for each in facts],
        "reasons": [each.reason for each in facts],
        "failures": [each.failure for each in facts],
        "gateway_message_ids": [each.gateway_message_id for each in facts],
        "sent_ats": [each.sent_at for each in facts],
    }
