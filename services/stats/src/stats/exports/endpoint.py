"""Export endpoint: the history, the reports and the alerts as files, made while the client reads them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, closing
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.http.file_stream import FileStream
from spreader.http.openapi import file_answer
from spreader.http.problem_schemas import problem_answers
from stats.api.parameters import Each, From, OfLane, OfPackage, OfProfile, To, Zone, report_range
from stats.api.problems import KINDS
from stats.api.representations import history_json, report_json
from stats.api.sql_history import COUNTED, HistoryKey, ReportKind, Statement, history, report
from stats.core.report_range import ReportRange, Step
from stats.exports.cells import Columns
from stats.exports.file_formats import MEDIA_TYPES, Format, file_writer
from stats.exports.pages import Row, Rows, pages_by_id, pages_by_time
from stats.exports.slots import ExportSlots
from stats.exports.sql import PAGE_ROWS, alerts_page, messages_page, read_page

ExportKind = Literal["history", "profiles", "packages", "messages", "alerts"]
ShownRow = Callable[[Row], Row]

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


class ExportEndpoint:
    """`engine`: a pool of connections only for exports, so that they never take the connections that counting needs."""

    def __init__(self, engine: AsyncEngine, slots: ExportSlots, clock: Now, page_rows: int = PAGE_ROWS) -> None:
        self._engine = engine
        self._slots = slots
        self._clock = clock
        self._page_rows = page_rows

    def router(self) -> APIRouter:
        router = APIRouter(tags=["exports"])
        router.add_api_route(
            "/exports/{what}.{form}",
            self.export,
            summary="Export rows as a file",
            response_class=StreamingResponse,
            responses={200: file_answer(MEDIA_TYPES.values()), **problem_answers(KINDS, (429,))},
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
    ) -> FileStream:
        """The rows of the list that `what` names. `by`, `lane` and `each` apply to the history only."""
        span = report_range(start, to, by if what == "history" else "day", timezone, self._clock)
        most = self._page_rows
        show: ShownRow = _report_row
        if what == "history":
            show = _history_row(profile_id)

            def history_page(piece: ReportRange, after: HistoryKey | None) -> Statement:
                of_each = each is not None
                return history(piece, package_id, profile_id, lane, each_profile=of_each, limit=most, after=after)

            pages = pages_by_time(self._read, most, span, history_page)
        elif what == "alerts":
            show = dict
            pages = pages_by_id(
                self._read, most, lambda after: alerts_page(span, package_id, profile_id, after, most), "alert_id"
            )
        elif what == "messages":
            pages = pages_by_id(
                self._read, most, lambda after: messages_page(span, package_id, after, most), "message_id"
            )
        else:
            of: ReportKind = what
            pages = pages_by_id(
                self._read, most, lambda after: report(of, span, package_id, after, most), f"{of[:-1]}_id"
            )
        headers = {"Content-Disposition": f'attachment; filename="{what}-{_days(span)}.{form}"'}
        return FileStream(self._file(form, COLUMNS[what], pages, show), MEDIA_TYPES[form], headers)

    async def _read(self, statement: Statement) -> Rows:
        async with self._slots.turn:
            return await read_page(self._engine, statement)

    async def _file(
        self, form: Format, columns: Columns, pages: AsyncGenerator[Rows], show: ShownRow
    ) -> AsyncGenerator[bytes]:
        """The bytes of the file. A thread makes them, so that a large file does not block other requests."""
        with self._slots.take(), closing(await asyncio.to_thread(file_writer, form, columns)) as writer:

            def write(rows: Rows) -> bytes:
                return writer.add([show(row) for row in rows])

            async with aclosing(pages):
                async for rows in pages:
                    async with self._slots.turn:
                        ready = await asyncio.to_thread(write, rows)
                    if ready:
                        yield ready
            yield await asyncio.to_thread(writer.end)


def _days(span: ReportRange) -> str:
    return f"{span.start:%Y-%m-%d}-{span.end:%Y-%m-%d}"


def _history_row(profile_id: str | None) -> ShownRow:
    def show(row: Row) -> Row:
        history_row = history_json(row)
        failures = history_row["failures"]
        return {"profile_id": profile_id, **history_row, "failures": json.dumps(failures) if failures else None}

    return show


def _report_row(row: Row) -> Row:
    report_row = report_json(row)
    return {**report_row, **{f"{name}_rate": rate for name, rate in report_row["rates"].items()}}
