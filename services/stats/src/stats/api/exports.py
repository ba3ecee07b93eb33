"""Exports: the history, the reports and the alerts as files, streamed."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from stats.api.file_formats import MEDIA_TYPES, Columns, Format, file_writer
from stats.api.reports import Each, From, OfLane, OfPackage, OfProfile, To, Zone, range_of, rated, told
from stats.api.sql_history import COUNTED, ROWS_AT_ONCE, history, report, rows
from stats.core.report_range import ReportRange, Step
from stats.health.sql_alerts import alerts_of

What = Literal["history", "profiles", "packages", "messages", "alerts"]
Row = Mapping[str, Any]

_COUNTS: Columns = dict.fromkeys(COUNTED, "count")
_RATES: Columns = {f"{name}_rate": "share" for name in ("delivered", "read", "failed", "answered")}
COLUMNS: Mapping[What, Columns] = {
    "history": {"at": "moment", "profile_id": "text", **_COUNTS, "failures": "text"},
    "profiles": {"profile_id": "text", "package_id": "text", **_COUNTS, **_RATES},
    "packages": {"package_id": "text", **_COUNTS, **_RATES},
    "messages": {
        "message_id": "text", "package_id": "text", "first_at": "moment", "last_at": "moment", **_COUNTS, **_RATES,
    },
    "alerts": {
        "alert_id": "text", "profile_id": "text", "package_id": "text", "kind": "text", "severity": "text",
        "evidence": "text", "raised_at": "moment", "acknowledged_at": "moment", "acknowledged_by": "text",
        "cleared_at": "moment",
    },
}  # fmt: skip


class ExportEndpoints:
    def __init__(self, engine: AsyncEngine, clock: Now) -> None:
        self._engine = engine
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(tags=["exports"])
        router.add_api_route(
            "/exports/{what}.{form}", self.export, summary="A file of rows", response_class=StreamingResponse
        )
        return router

    async def export(
        self,
        what: Annotated[What, Path()],
        form: Annotated[Format, Path()],
        start: From = None,
        to: To = None,
        by: Step = "hour",
        timezone: Zone = "UTC",
        package_id: OfPackage = None,
        profile_id: OfProfile = None,
        lane: OfLane = None,
        each: Each = None,
    ) -> StreamingResponse:
        """What the list of the same name takes; `by`, `lane` and `each` are of the history."""
        span = range_of(start, to, by if what == "history" else "day", timezone, self._clock)
        if what == "history":
            statement, asked = history(span, package_id, profile_id, lane, each_profile=each is not None, limit=None)
            found = _history(rows(self._engine, statement, asked), profile_id)
        elif what == "alerts":
            found = rows(self._engine, *alerts_of(package_id, profile_id, span.start, span.end))
        else:
            found = _rated(rows(self._engine, *report(what, span, package_id, None, None)))
        name = f"{what}-{_day(span)}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_written(form, COLUMNS[what], found), media_type=MEDIA_TYPES[form], headers=headers)


def _day(span: ReportRange) -> str:
    return f"{span.start:%Y-%m-%d}-{span.end:%Y-%m-%d}"


async def _history(found: AsyncIterator[Row], profile_id: str | None) -> AsyncGenerator[Row]:
    async for row in found:
        whole = told(row)
        yield {
            "profile_id": profile_id,
            **whole,
            "failures": json.dumps(whole["failures"]) if whole["failures"] else None,
        }


async def _rated(found: AsyncIterator[Row]) -> AsyncGenerator[Row]:
    async for row in found:
        whole = rated(row)
        yield {**whole, **{f"{name}_rate": share for name, share in whole["rates"].items()}}


async def _written(form: Format, columns: Columns, found: AsyncIterator[Row]) -> AsyncGenerator[bytes]:
    """Written in a thread: a large file keeps nobody else waiting."""
    file = await asyncio.to_thread(file_writer, form, columns)
    batch: list[Row] = []
    async for row in found:
        batch.append(row)
        if len(batch) == ROWS_AT_ONCE:
            if ready := await asyncio.to_thread(file.add, batch):
                yield ready
            batch = []
    if ready := await asyncio.to_thread(file.add, batch):
        yield ready
    pieces = file.end()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
