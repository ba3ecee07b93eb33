"""Report endpoints: the history by minute, hour and day, and the sums and rates of a span."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import TypedDict

from spreader.clock import Now
from spreader.contract.ids import Id
from spreader.http import problems
from spreader.http.openapi import PageBody, derived
from spreader.http.problems import INVALID, Problem
from stats.api.openapi import NOT_FOUND, documented, page_example
from stats.api.pagination import Page, invalid_cursor, page_body
from stats.api.parameters import Each, From, OfLane, OfPackage, OfProfile, To, Zone, report_range
from stats.api.representations import (
    HistoryRow,
    MessageReport,
    PackageReport,
    ProfileReport,
    SentMessageReport,
    history_json,
    report_json,
)
from stats.api.sql_history import COUNTED, ReportKind, history, message, report, stream_rows
from stats.core.report_range import Step

ROWS_MAX = 10_000
_Span = TypedDict("_Span", {"by": Step, "from": datetime, "to": datetime, "timezone": str})
History = derived("History", _Span, data=list[HistoryRow])


class ReportEndpoints:
    def __init__(self, engine: AsyncEngine, clock: Now) -> None:
        self._engine = engine
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(tags=["reports"])
        router.add_api_route(
            "/history",
            self.history,
            summary="Counts by minute, hour or day",
            responses=documented(History, HISTORY_EXAMPLE),
        )
        router.add_api_route(
            "/reports/messages/{message_id}",
            self.message,
            summary="Sums and rates of one message",
            responses=documented(SentMessageReport, MESSAGE_EXAMPLE, NOT_FOUND),
        )
        for of in ("profiles", "packages", "messages"):
            router.add_api_route(
                f"/reports/{of}",
                self.report(of),
                summary=f"Sums and rates of {of}",
                operation_id=f"report_{of}",
                responses=documented(PageBody[REPORTS[of][0]], page_example(REPORTS[of][1])),
            )
        return router

    async def history(
        self,
        start: From = None,
        to: To = None,
        by: Step = "hour",
        timezone: Zone = "UTC",
        package_id: OfPackage = None,
        profile_id: OfProfile = None,
        lane: OfLane = None,
        each: Each = None,
    ) -> dict[str, Any]:
        """One row for each step in which anything was counted. With `each=profile`, one row for each such step of each
        profile."""
        span = report_range(start, to, by, timezone, self._clock)
        query = history(span, package_id, profile_id, lane, each_profile=each is not None, limit=ROWS_MAX + 1)
        data = [history_json(row) async for row in stream_rows(self._engine, *query)]
        if len(data) > ROWS_MAX:
            raise Problem(
                INVALID,
                f"The history has more than {ROWS_MAX} rows. Request a shorter span or larger steps, or get all rows "
                "as a file from `/exports/history.csv`.",
            )
        for row in data:
            row.setdefault("profile_id", profile_id)
        return {"by": by, "from": span.start, "to": span.end, "timezone": timezone, "data": data}

    def report(self, of: ReportKind) -> Any:
        async def answer(page: Page, start: From = None, to: To = None, package_id: OfPackage = None) -> dict[str, Any]:
            """The sums of a span.

            For profiles and packages, these are the sums of every hour that begins within the span. So the last hour
            counts whole. For messages, these are all counts of a message, if the first of them is within the span.

            A rate is null if it would be a share of 0 messages: `failed` if nothing was sent and nothing failed,
            `answered` if no open message was delivered, and the others if nothing was sent.
            """
            span = report_range(start, to, "day", "UTC", self._clock)
            try:
                query = report(of, span, package_id, page.after, page.read_limit)
            except ValueError:
                raise invalid_cursor("it is not a cursor of this list") from None
            data = [report_json(row) async for row in stream_rows(self._engine, *query)]
            ids = [row.pop("place", None) or row[of[:-1] + "_id"] for row in data]
            return page_body(page, ids, data)

        return answer

    async def message(self, message_id: Annotated[Id, Path()]) -> dict[str, Any]:
        """The sums of a message, and those of each profile that sent it."""
        rows = [row async for row in stream_rows(self._engine, *message(message_id))]
        if not rows:
            raise Problem(problems.NOT_FOUND, f"No delivery of a message {message_id!r} has reached a gateway yet.")
        total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in (*COUNTED, "delivered_open")}
        total |= {"message_id": message_id, "package_id": rows[0]["package_id"]}
        total |= {"first_at": min(row["first_at"] for row in rows), "last_at": max(row["last_at"] for row in rows)}
        return {**report_json(total), "profiles": [report_json(row) for row in rows]}


_COUNTS_EXAMPLE = dict(zip(COUNTED, (14, 9, 14, 12, 7, 1, 6, 3, 4, 2), strict=True))
_RATED_EXAMPLE: dict[str, Any] = {
    **_COUNTS_EXAMPLE,
    "rates": {"delivered": 0.8571, "read": 0.5, "failed": 0.0667, "answered": None},
}
_SPAN_EXAMPLE = {"first_at": "2024-02-08T18:45:12Z", "last_at": "2024-02-08T19:02:40Z"}
HISTORY_EXAMPLE: dict[str, Any] = {
    "by": "hour",
    "from": "2024-02-08T00:00:00Z",
    "to": "2024-02-09T00:00:00Z",
    "timezone": "UTC",
    "data": [
        {"at": "2024-02-08T18:00:00Z", **_COUNTS_EXAMPLE, "failures": {"recipient": 1}, "profile_id": "profile_1"}
    ],
}
_PROFILE_EXAMPLE = {"profile_id": "profile_1", "package_id": "pkg_orders", **_RATED_EXAMPLE}
_MESSAGE_EXAMPLE = {"message_id": "msg_abc123", "package_id": "pkg_orders", **_SPAN_EXAMPLE, **_RATED_EXAMPLE}
MESSAGE_EXAMPLE = {**_MESSAGE_EXAMPLE, "profiles": [{**_PROFILE_EXAMPLE, **_SPAN_EXAMPLE}]}
REPORTS: Mapping[ReportKind, tuple[Any, dict[str, Any]]] = {
    "profiles": (ProfileReport, _PROFILE_EXAMPLE),
    "packages": (PackageReport, {"package_id": "pkg_orders", **_RATED_EXAMPLE}),
    "messages": (MessageReport, _MESSAGE_EXAMPLE),
}
"""The shape and an example of a row of each report."""
