"""Export endpoints: the history, the reports and the alerts as streamed files."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from stats.api.file_formats import MEDIA_TYPES, Columns, Format, file_writer
from stats.api.parameters import Each, From, OfLane, OfPackage, OfProfile, To, Zone, report_range
from stats.api.representations import history_json, report_json
from stats.api.sql_history import COUNTED, ROWS_AT_ONCE, history, report, stream_rows
from stats.core.report_range import ReportRange, Step
from stats.health.sql_alerts import alerts_raised

ExportKind = Literal["history", "profiles", "packages", "messages", "alerts"]
ExportRow = Mapping[str, Any]

_COUNTS: Columns = dict.fromkeys(COUNTED, "count")
_RATES: Columns = {f"{name}_rate": "share" for name in ("delivered", "read", "failed", "answered")}
COLUMNS: Mapping[ExportKind, Columns] = {
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
            "/exports/{what}.{form}", self.export, summary="Export rows as a file", response_class=StreamingResponse
        )
        return router

    async def export(
        self,
        what: Annotated[ExportKind, Path()],
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
        """The rows of the list that `what` names. `by`, `lane` and `each` apply to the history only."""
        span = report_range(start, to, by if what == "history" else "day", timezone, self._clock)
        if what == "history":
            query = history(span, package_id, profile_id, lane, each_profile=each is not None, limit=None)
            rows = _history_rows(stream_rows(self._engine, *query), profile_id)
        elif what == "alerts":
            rows = stream_rows(self._engine, *alerts_raised(package_id, profile_id, span.start, span.end))
        else:
            rows = _report_rows(stream_rows(self._engine, *report(what, span, package_id, None, None)))
        name = f"{what}-{_days(span)}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(_file(form, COLUMNS[what], rows), media_type=MEDIA_TYPES[form], headers=headers)


def _days(span: ReportRange) -> str:
    return f"{span.start:%Y-%m-%d}-{span.end:%Y-%m-%d}"


async def _history_rows(rows: AsyncIterator[ExportRow], profile_id: str | None) -> AsyncGenerator[ExportRow]:
    async for row in rows:
        history_row = history_json(row)
        failures = history_row["failures"]
        yield {"profile_id": profile_id, **history_row, "failures": json.dumps(failures) if failures else None}


async def _report_rows(rows: AsyncIterator[ExportRow]) -> AsyncGenerator[ExportRow]:
    async for row in rows:
        report_row = report_json(row)
        yield {**report_row, **{f"{name}_rate": rate for name, rate in report_row["rates"].items()}}


async def _file(form: Format, columns: Columns, rows: AsyncIterator[ExportRow]) -> AsyncGenerator[bytes]:
    """The bytes of the file, made in a thread, so that a large file does not block other requests."""
    writer = await asyncio.to_thread(file_writer, form, columns)
    batch: list[ExportRow] = []
    async for row in rows:
        batch.append(row)
        if len(batch) == ROWS_AT_ONCE:
            if ready := await asyncio.to_thread(writer.add, batch):
                yield ready
            batch = []
    if ready := await asyncio.to_thread(writer.add, batch):
        yield ready
    pieces = writer.end()
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
