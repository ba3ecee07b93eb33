"""Erasures: the record of each erasure of a person, from the request to the reports of all services."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingress.http.operator import current_operator
from ingress.infra import outbox
from ingress.metrics import ERASURE_OLDEST
from ingress.sql import erasures as sql
from ingress.sql.erasures import NewReport, ServiceReport, StoredErasure
from spreader.clock import Now
from spreader.contract.events import ErasureReported, RecipientErased
from spreader.contract.ids import new_id
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import arrays, fetched

SERVICES = ("ingress", "router", "pacer", "sender", "stats")
"""The services that have numbers of recipients in their tables."""
KEPT = timedelta(days=400)
"""How long the record of an erasure is kept. The record shows what was removed."""
MEASURE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class RecordedErasure:
    stored: StoredErasure
    reports: Sequence[ServiceReport]

    @property
    def is_done(self) -> bool:
        return {report.service for report in self.reports} >= {*SERVICES}

    @property
    def done_at(self) -> datetime | None:
        return max(report.at for report in self.reports) if self.is_done else None


@dataclass(frozen=True, slots=True)
class Erasures:
    engine: AsyncEngine
    table: ErasureTable
    now: Now
    wakes: Sequence[Callable[[], None]] = ()
    """Functions to call after an erasure was stored. They wake the outbox relay and the eraser of the ingress."""

    async def begin(self, recipient: str, keep_suppression: bool) -> RecordedErasure:
        """Record an erasure, together with the event that reports it to all services."""
        now = self.now()
        erasure_id = new_id("ers", now)
        event = RecipientErased(erasure_id=erasure_id, recipient=recipient, keep_suppression=keep_suppression, at=now)
        async with self.engine.begin() as connection:
            await self.table.note(connection, [event], now)
            asked_by = current_operator()
            await connection.execute(sql.SET_ASKED_BY, {"erasure_id": erasure_id, "asked_by": asked_by})
            await outbox.put(connection, [encode(event, "ingress", now)])
        for wake in self.wakes:
            wake()
        return RecordedErasure(StoredErasure(erasure_id, now, keep_suppression, asked_by), ())

    async def newest(self, recipient: str) -> RecordedErasure | None:
        """The person's newest erasure."""
        async with autocommit(self.engine) as connection:
            hashes = list(self.table.hashes_of(recipient))
            found = fetched(StoredErasure, await connection.execute(sql.NEWEST, {"hashes": hashes}))
            if not found:
                return None
            params = {"erasure_id": found[0].erasure_id}
            reports = fetched(ServiceReport, await connection.execute(sql.REPORTS, params))
        return RecordedErasure(found[0], reports)

    async def on_reported(self, batch: Sequence[Received[ErasureReported]]) -> None:
        async with autocommit(self.engine) as connection:
            await keep_reports(connection, [received.event for received in batch])

    async def measure(self) -> float:
        """Set the gauge of unfinished erasures. Returns the seconds until the next measurement."""
        async with autocommit(self.engine) as connection:
            age = (await connection.execute(sql.UNREPORTED, {"services": len(SERVICES)})).scalar_one()
        ERASURE_OLDEST.set(age)
        return MEASURE_SECONDS


async def keep_reports(connection: AsyncConnection, reports: Sequence[ErasureReported]) -> None:
    rows = [NewReport(each.erasure_id, each.service, json.dumps(each.rows), each.at) for each in reports]
    await connection.execute(sql.KEEP_REPORTS, arrays(NewReport, rows))


async def keep_own_report(connection: AsyncConnection, report: ErasureReported) -> None:
    """Stores the report of the ingress itself. This report does not go through Kafka, because the ingress keeps the
    reports."""
    await keep_reports(connection, [report])
