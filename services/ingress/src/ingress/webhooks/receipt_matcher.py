"""Receipt matcher: finds the deliveries that gateways' receipts concern, and publishes their outcomes.

A receipt may arrive before its delivery is known, or before the delivery has its gateway message id. Then the receipt
is stored as waiting, and it is matched when the status projection stores a change of the delivery. A waiting receipt is
deleted after its outcome is published. If the process crashes between the two steps, the outcome is published again
with the same event id.

A receipt may be stored at the very time at which the projection commits its delivery. Then neither transaction sees
what the other one stores, and `match_recent` matches the receipt a few seconds later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.core.receipts import MatchedDelivery, ProfileReceipt, is_of_profile, outcome_of
from ingress.core.reports import NUMBER_UNKNOWN, Echo, MessageReceipt
from ingress.metrics import RECEIPTS, WAITING_RECEIPTS
from ingress.sql import receipts as sql
from ingress.sql.receipts import ReceiptKeys, ReceiptMatch, WaitingMatch, WaitingReceipt, WaitingReceiptKey
from ingress.webhooks.hidden_ids import HiddenIds
from spreader.contract.events import DeliveryOutcome
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.bus import Bus
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, fetched
from spreader.text.clean_text import clean

ERASURES = ErasureTable("ingress")
BATCH_MAX = 1_000
DELIVERIES_MAX = 5_000
KEPT_MAX = 100_000
RECENT, ALL = timedelta(minutes=1), timedelta(days=2)
"""The largest age of the receipts that a run matches. `ALL` covers every waiting receipt, because a receipt waits for
at most a day."""
MATCH_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ReceiptMatcher:
    """`kept_max`: how many receipts may wait. If more are waiting, the oldest are deleted."""

    engine: AsyncEngine
    bus: Bus
    kept_max: int = KEPT_MAX
    hidden_ids: HiddenIds | None = None
    """Learns the hidden ids of recipients from the receipts that `take` gets. None if this object only matches waiting
    receipts, because those are stored without hidden ids."""
    erasures: ErasureTable = ERASURES

    async def take(self, receipts: Sequence[ProfileReceipt]) -> None:
        """Publishes the outcomes of known deliveries and stores the other receipts as waiting."""
        if not receipts:
            return
        keys = [_keys(position, receipt) for position, receipt in enumerate(receipts)]
        async with autocommit(self.engine) as connection:
            matches = fetched(ReceiptMatch, await connection.execute(sql.MATCH, arrays(ReceiptKeys, keys)))
            matched = {match.position for match in matches}
            waiting = [
                _waiting(receipt)
                for position, receipt in enumerate(receipts)
                if position not in matched and receipt.recipient != NUMBER_UNKNOWN
            ]
            if waiting:
                params = {"erasure_keys": self.erasures.keys, **arrays(WaitingReceipt, waiting)}
                kept = (await connection.execute(sql.KEEP, params)).rowcount
                WAITING_RECEIPTS.labels("kept").inc(kept)
        pairs = [(receipts[match.position], match) for match in matches]
        await self.bus.publish(*_outcomes(pair for pair in pairs if isinstance(pair[0].report, MessageReceipt)))
        for receipt, delivery in pairs:
            if self.hidden_ids is not None and receipt.hidden_id is not None and is_of_profile(receipt, delivery):
                await self.hidden_ids.learn(
                    receipt.profile_id, receipt.hidden_id, delivery.recipient, receipt.report.at
                )

    async def match_deliveries(self, delivery_ids: Iterable[str]) -> None:
        """Matches the receipts that wait for these deliveries. The deliveries have just changed."""
        ids = list(delivery_ids)
        if not ids or not await self._is_any_waiting():
            return
        for start in range(0, len(ids), DELIVERIES_MAX):
            await self._match_all(sql.MATCH_DELIVERIES, {"delivery_ids": ids[start : start + DELIVERIES_MAX]})

    async def match_recent(self) -> float:
        """Matches recent receipts and echoes that missed their delivery. Returns the seconds until the next run."""
        if await self._is_any_waiting():
            await self._match_all(sql.MATCH_BY_AGE, {"oldest": RECENT})
            await self._match_all(sql.MATCH_ECHOES, {"oldest": RECENT})
        return MATCH_EVERY_SECONDS

    async def match_all_and_delete_old(self, rows_max: int) -> int:
        """Matches all waiting receipts, then deletes at most `rows_max` of those that are too old or too many.

        Returns how many it deleted.
        """
        await self._match_all(sql.MATCH_BY_AGE, {"oldest": ALL})
        await self._match_all(sql.MATCH_ECHOES, {"oldest": ALL})
        async with autocommit(self.engine) as connection:
            params = {"kept_max": self.kept_max, "limit": rows_max}
            deleted = (await connection.execute(sql.DELETE_OLD, params)).rowcount
        WAITING_RECEIPTS.labels("forgotten").inc(deleted)
        return deleted

    async def _is_any_waiting(self) -> bool:
        async with autocommit(self.engine) as connection:
            return (await connection.execute(sql.IS_ANY_WAITING)).scalar_one()

    async def _match_all(self, statement: TextClause, params: dict[str, Any]) -> None:
        while await self._match(statement, {**params, "limit": BATCH_MAX}) == BATCH_MAX:
            pass

    async def _match(self, statement: TextClause, params: dict[str, Any]) -> int:
        """Matches one batch. Returns the size of the batch.

        The rows stay locked until their outcomes are published, so that no other process publishes the same outcomes.
        """
        async with self.engine.begin() as connection:
            matches = fetched(WaitingMatch, await connection.execute(statement, params))
            pairs = [(_receipt(match), match) for match in matches]
            # Only a delivery in doubt needs its echo. A delivery that has its gateway message id was certainly sent.
            in_doubt = statement is sql.MATCH_ECHOES
            await self.bus.publish(
                *_outcomes(pair for pair in pairs if in_doubt or isinstance(pair[0].report, MessageReceipt))
            )
            await _drop(connection, [receipt for receipt, _ in pairs])
        return len(matches)


async def _drop(connection: AsyncConnection, receipts: Sequence[ProfileReceipt]) -> None:
    if receipts:
        await connection.execute(sql.DROP, arrays(WaitingReceiptKey, map(_waiting_key, receipts)))
        WAITING_RECEIPTS.labels("matched").inc(len(receipts))


def _outcomes(pairs: Iterable[tuple[ProfileReceipt, MatchedDelivery]]) -> list[DeliveryOutcome]:
    outcomes: list[DeliveryOutcome] = []
    for receipt, delivery in pairs:
        if is_of_profile(receipt, delivery):
            outcomes.append(outcome_of(receipt, delivery))
            RECEIPTS.labels(receipt.status).inc()
        else:
            RECEIPTS.labels("of_another_profile").inc()
    return outcomes


def _keys(position: int, receipt: ProfileReceipt) -> ReceiptKeys:
    return ReceiptKeys(position, receipt.delivery_id, receipt.profile_id, receipt.report.gateway_message_id)


def _waiting(receipt: ProfileReceipt) -> WaitingReceipt:
    report = receipt.report
    details = report if isinstance(report, MessageReceipt) else None
    return WaitingReceipt(
        profile_id=receipt.profile_id,
        gateway_message_id=report.gateway_message_id,
        status=receipt.status,
        package_id=receipt.package_id,
        delivery_id=receipt.delivery_id,
        recipient=receipt.recipient,
        at=report.at,
        failure=details and details.failure,
        code=details and details.code,
        reason=details and details.reason,
    )


def _waiting_key(receipt: ProfileReceipt) -> WaitingReceiptKey:
    code = receipt.report.code if isinstance(receipt.report, MessageReceipt) else None
    return WaitingReceiptKey(receipt.profile_id, receipt.report.gateway_message_id, receipt.status, code)


def _receipt(match: WaitingMatch) -> ProfileReceipt:
    report = (
        Echo(match.gateway_message_id, clean(match.recipient), match.at)
        if match.status == "sent"
        else MessageReceipt(
            match.gateway_message_id,
            match.status,
            match.at,
            failure=match.failure,
            code=match.code,
            reason=match.reason,
        )
    )
    return ProfileReceipt(match.receipt_package_id, match.receipt_profile_id, report)
