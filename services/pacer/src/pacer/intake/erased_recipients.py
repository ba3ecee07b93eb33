"""Erased recipients: what intake does with deliveries to persons who were erased."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.intake.read_times import Assignment
from pacer.sql import erasures as sql
from pacer.sql.intake import AssignedRow
from spreader.clock import Clock
from spreader.contract.ids import ERASED
from spreader.erasure.postgres import ErasedNumber, ErasureTable
from spreader.runtime.rows import arrays, fetched

ANSWERED_WITHIN = timedelta(minutes=15)
"""The gateway has answered a release after this wall time, or the pacer asks the sender for the outcome."""
DAY = timedelta(hours=24)
WAITS_FOR_LIMIT = "the number was erased: it waits until the last message to it counts against no limit any more"


@dataclass(frozen=True, slots=True)
class ErasedRecipients:
    table: ErasureTable
    clock: Clock

    async def apply(
        self, connection: AsyncConnection, assignments: Sequence[Assignment], rows: Sequence[AssignedRow], now: datetime
    ) -> Sequence[AssignedRow]:
        """The rows of these assignments. A delivery that was requested before its recipient was erased is cancelled,
        and its row does not contain the number. A later one waits, because the releases of the last day no longer show
        that they went to this number."""
        since = min(now - DAY, *(event.requested_at for event, _ in assignments))
        erased = await self.table.of(connection, (row.recipient for row in rows), since)
        requested = {row.delivery_id: event.requested_at for (event, _), row in zip(assignments, rows, strict=True)}
        old = {
            row.delivery_id
            for row in rows
            if row.recipient == ERASED
            or (row.recipient in erased and requested[row.delivery_id] <= erased[row.recipient].at)
        }
        free_at = await self._free_at(connection, [row for row in rows if row.delivery_id not in old], erased, now)
        return [
            replace(row, recipient=ERASED, cancelled=sql.CANCELLED_BY_ERASURE)
            if row.delivery_id in old
            else _delayed(row, free_at.get((row.package_id, row.recipient)))
            for row in rows
        ]

    async def _free_at(
        self,
        connection: AsyncConnection,
        rows: Sequence[AssignedRow],
        erased: Mapping[str, ErasedNumber],
        now: datetime,
    ) -> Mapping[tuple[str, str], datetime]:
        """For each package and erased number: when no limit counts an earlier release to the number any more."""
        asked = {
            sql.ErasedRecipient(row.package_id, row.recipient, erasure_id)
            for row in rows
            if row.recipient in erased
            for erasure_id in erased[row.recipient].erasure_ids
        }
        if not asked:
            return {}
        answered_by = now + self.clock.system(ANSWERED_WITHIN)
        params = {**arrays(sql.ErasedRecipient, asked), "now": now, "answered_by": answered_by}
        found = fetched(sql.LastRelease, await connection.execute(sql.LAST_RELEASES, params))
        return {(last.package_id, last.recipient): last.counts_until for last in found}


def _delayed(row: AssignedRow, free_at: datetime | None) -> AssignedRow:
    if free_at is None or free_at <= row.not_before:
        return row
    return replace(row, not_before=free_at, timing=WAITS_FOR_LIMIT)
