"""Lost outcomes: reports the outcomes of releases that the pacer asks about.

The outcome goes the usual way: it is stored as an unpublished event, and the outbox publishes it. The release is
settled in the ledger first. So if the record of the release is read later, the delivery is not sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sender.core.claim_result import SettledStatus
from sender.core.lost_outcome import (
    NEVER_SENT,
    ReleaseInQuestion,
    StoredRelease,
    reported_outcome,
    status_to_report,
)
from sender.ledger.delivery_rows import EventRow
from spreader.clock import Now
from spreader.contract.events import PARTITIONS, DeliveryReleased
from spreader.contract.ids import ERASED
from spreader.kafka.read_barrier import ReadProgress, wait_until_consumed
from spreader.runtime.rows import arrays, column, fetched, unnest

log = structlog.get_logger()

READ_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class LostReleaseRow:
    """A release that is settled as unknown."""

    delivery_id: str
    package_id: str
    recipient: str
    profile_id: str
    release: int
    attempt: int = column("int")


@dataclass(frozen=True, slots=True)
class SettledRelease:
    delivery_id: str
    claim: int


@dataclass(frozen=True, slots=True)
class LostOutcomes:
    """`progress`: how far the open lane has read."""

    engine: AsyncEngine
    progress: ReadProgress
    now: Now
    read_seconds: float = READ_SECONDS

    async def report(self, releases: Sequence[ReleaseInQuestion]) -> int:
        """Reports the outcome of each of these releases that has one; returns the number of reported outcomes. The
        other releases are still in progress."""
        all_read = await self._all_read()
        async with self.engine.begin() as connection:
            entries = await self._entries(connection, releases)
            statuses: dict[ReleaseInQuestion, SettledStatus] = {
                asked: status
                for asked in releases
                if (status := status_to_report(asked, entries.get(asked.delivery_id), all_read)) is not None
            }
            lost = [asked for asked, status in statuses.items() if not _is_settled(asked, entries, status)]
            settled = await self._settle(connection, lost) if lost else {}
            known = {delivery_id: entry.claim for delivery_id, entry in entries.items()}
            rows = [
                _event_row(asked, status, entries.get(asked.delivery_id), claims[asked.delivery_id], self.now)
                for asked, status in statuses.items()
                if asked.delivery_id in (claims := settled if asked in lost else known)
            ]
            if rows:
                await connection.execute(KEEP_REPORTED, {"lane": "open", **arrays(EventRow, rows)})
        if lost:
            log.warning(
                "releases without an outcome are unknown to this ledger; they count as sent and are not sent again",
                count=len(lost),
                first=lost[0].delivery_id,
            )
        return len(rows)

    async def _all_read(self) -> bool:
        partitions = range(PARTITIONS[DeliveryReleased.topic])
        try:
            return await wait_until_consumed(self.progress, DeliveryReleased.topic, partitions, self.read_seconds)
        except OSError:  # no connection to Kafka
            return False

    async def _entries(
        self, connection: AsyncConnection, releases: Sequence[ReleaseInQuestion]
    ) -> dict[str, StoredRelease]:
        params = {"delivery_ids": sorted({asked.delivery_id for asked in releases})}
        rows = fetched(StoredRelease, await connection.execute(LEDGER_ENTRIES, params))
        return {row.delivery_id: row for row in rows}

    async def _settle(self, connection: AsyncConnection, lost: Sequence[ReleaseInQuestion]) -> dict[str, int]:
        rows = [
            LostReleaseRow(
                delivery_id=asked.delivery_id,
                package_id=asked.package_id,
                recipient=ERASED,  # it is never sent, and its recipient may have been erased
                profile_id=asked.profile_id,
                attempt=asked.attempt,
                release=asked.release,
            )
            for asked in sorted(lost, key=lambda asked: asked.delivery_id)
        ]
        params = {"never_sent": list(NEVER_SENT), **arrays(LostReleaseRow, rows)}
        settled = fetched(SettledRelease, await connection.execute(SETTLE_LOST, params))
        return {row.delivery_id: row.claim for row in settled}


def _is_settled(asked: ReleaseInQuestion, entries: Mapping[str, StoredRelease], status: SettledStatus) -> bool:
    entry = entries.get(asked.delivery_id)
    return entry is not None and entry.status == status


def _event_row(
    asked: ReleaseInQuestion, status: SettledStatus, entry: StoredRelease | None, claim: int, now: Now
) -> EventRow:
    outcome = reported_outcome(asked, status, None if entry is None else entry.gateway_message_id, now())
    return EventRow(asked.delivery_id, outcome.type, outcome.model_dump_json(exclude_none=True), None, claim)


LEDGER_ENTRIES = text("""
SELECT delivery_id, attempt, release, claim, CASE WHEN state = 'settled' THEN status END AS status, gateway_message_id
FROM sender.delivery WHERE delivery_id = ANY (CAST(:delivery_ids AS text[])) ORDER BY delivery_id FOR UPDATE""")

SETTLE_LOST = text(f"""
INSERT INTO sender.delivery AS stored (
    delivery_id, lane, package_id, recipient, profile_id, attempt, release, state, status, due_at)
SELECT lost.delivery_id, 'open', lost.package_id, lost.recipient, lost.profile_id, lost.attempt, lost.release,
       'settled', 'unknown', clock_timestamp()
FROM {unnest(LostReleaseRow, "lost")}
ON CONFLICT (delivery_id) DO UPDATE SET
    attempt = excluded.attempt, release = excluded.release, profile_id = excluded.profile_id, status = 'unknown',
    due_at = excluded.due_at
WHERE stored.state = 'settled' AND stored.status = ANY (CAST(:never_sent AS text[]))
  AND (stored.attempt, stored.release) < (excluded.attempt, excluded.release)
RETURNING stored.delivery_id, stored.claim""")
"""If the release has arrived in the ledger by now, it is not settled here."""

KEEP_REPORTED = text(f"""
INSERT INTO sender.unpublished (delivery_id, claim, type, lane, body, traceparent)
SELECT event.delivery_id, event.claim, event.type, :lane, event.body, event.traceparent
FROM {unnest(EventRow, "event")} ON CONFLICT DO NOTHING""")
"""A conflict means that the outcome is still waiting to be published."""
