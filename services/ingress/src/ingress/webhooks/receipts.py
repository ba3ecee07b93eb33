"""Receipts: what gateways say of our messages, given to the deliveries that they mean.

A receipt may come before the delivery, or before the gateway's name for it, is known: it is kept, and matched when the
delivery is folded. It is published before it is dropped: a crash in between publishes it again under the same id.
The look after a fold comes after its commit, and the keeping before the gateway's answer: of a receipt and a delivery
that arrive at the same moment one finds the other, or the next look at what is young finds both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.receipts import Meant, Told, is_of, outcome
from ingress.core.reports import Echo, Receipt
from ingress.metrics import RECEIPTS, WAITING_RECEIPTS
from ingress.sql import receipts as statements
from spreader.contract.events import DeliveryOutcome
from spreader.kafka.bus import Bus

BATCH_MAX = 1_000
DELIVERIES_MAX = 5_000
KEPT_MAX = 100_000
YOUNG, ALL = timedelta(minutes=1), timedelta(days=2)
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Receipts:
    engine: AsyncEngine
    bus: Bus
    kept_max: int = KEPT_MAX

    async def take(self, told: Sequence[Told]) -> None:
        """Publish what becomes of the deliveries that are meant, and keep what nobody can place yet."""
        if not told:
            return
        async with self.engine.begin() as connection:
            rows = await connection.execute(statements.MEANT, _names(told))
            meant = {row.place - 1: _meant(row) for row in rows}
            unknown = [each for place, each in enumerate(told) if place not in meant]
            if unknown:
                kept = (await connection.execute(statements.KEEP, _columns(unknown))).rowcount
                WAITING_RECEIPTS.labels("kept").inc(kept)
        known = [(told[place], delivery) for place, delivery in meant.items()]
        await self.bus.publish(*_outcomes(pair for pair in known if isinstance(pair[0].said, Receipt)))

    async def look(self, delivery_ids: Iterable[str]) -> None:
        """These deliveries have changed: whatever waits for them is theirs."""
        ids = list(delivery_ids)
        for start in range(0, len(ids), DELIVERIES_MAX):
            asked = {"delivery_ids": ids[start : start + DELIVERIES_MAX]}
            await self._match_all(statements.NAMED_BY_DELIVERIES, asked)

    async def look_again(self) -> float:
        """At what is young: a receipt and its delivery may have come at the same moment, and echoes have waited."""
        await self._match_all(statements.NAMED_BY_AGE, {"oldest": YOUNG})
        await self._match_all(statements.ECHOES, {"oldest": YOUNG})
        return LOOK_SECONDS

    async def tidy(self, rows_max: int) -> int:
        """Match all waiting receipts; then delete at most `rows_max` that are too old or too many. Returns how many."""
        await self._match_all(statements.NAMED_BY_AGE, {"oldest": ALL})
        await self._match_all(statements.ECHOES, {"oldest": ALL})
        async with self.engine.begin() as connection:
            asked = {"kept_max": self.kept_max, "limit": rows_max}
            deleted = (await connection.execute(statements.FORGET, asked)).rowcount
        WAITING_RECEIPTS.labels("forgotten").inc(deleted)
        return deleted

    async def _match_all(self, statement: TextClause, asked: dict[str, Any]) -> None:
        while await self._match(statement, {**asked, "limit": BATCH_MAX}) == BATCH_MAX:
            pass

    async def _match(self, statement: TextClause, asked: dict[str, Any]) -> int:
        """The rows stay locked until they are published: no other process tells of them meanwhile."""
        async with self.engine.begin() as connection:
            rows = (await connection.execute(statement, asked)).all()
            pairs = [(_told(row), _meant(row)) for row in rows]
            # To a delivery that has its name, an echo is no news.
            in_doubt = statement is statements.ECHOES
            await self.bus.publish(*_outcomes(pair for pair in pairs if in_doubt or isinstance(pair[0].said, Receipt)))
            await _drop(connection, rows)
        return len(rows)


async def _drop(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> None:
    if rows:
        gone = {
            "profile_ids": [row.told_profile_id for row in rows],
            "gateway_message_ids": [row.gateway_message_id for row in rows],
            "statuses": [row.status for row in rows],
            "codes": [row.code for row in rows],
        }
        await connection.execute(statements.DROP, gone)
        WAITING_RECEIPTS.labels("matched").inc(len(rows))


def _outcomes(pairs: Iterable[tuple[Told, Meant]]) -> list[DeliveryOutcome]:
    outcomes: list[DeliveryOutcome] = []
    for told, meant in pairs:
        if is_of(told, meant):
            outcomes.append(outcome(told, meant))
        RECEIPTS.labels(told.status if is_of(told, meant) else "of_another_profile").inc()
    return outcomes


def _meant(row: Row[Any]) -> Meant:
    return Meant(
        row.delivery_id, row.message_id, row.package_id, row.lane, row.recipient, row.profile_id, row.attempt,
        row.traceparent,
    )  # fmt: skip


def _told(row: Row[Any]) -> Told:
    said = (
        Echo(row.gateway_message_id, row.recipient, row.at)
        if row.status == "sent"
        else Receipt(row.gateway_message_id, row.status, row.at, None, row.failure, row.code, row.reason)
    )
    return Told(row.told_package_id, row.told_profile_id, said)


def _names(told: Sequence[Told]) -> dict[str, list[Any]]:
    return {
        "delivery_ids": [each.delivery_id for each in told],
        "profile_ids": [each.profile_id for each in told],
        "gateway_message_ids": [each.said.gateway_message_id for each in told],
    }


def _columns(told: Sequence[Told]) -> dict[str, list[Any]]:
    receipts = [each.said if isinstance(each.said, Receipt) else None for each in told]
    return {
        **_names(told),
        "statuses": [each.status for each in told],
        "package_ids": [each.package_id for each in told],
        "recipients": [each.recipient for each in told],
        "ats": [each.said.at for each in told],
        "failures": [each and each.failure for each in receipts],
        "codes": [each and each.code for each in receipts],
        "reasons": [each and each.reason for each in receipts],
    }
