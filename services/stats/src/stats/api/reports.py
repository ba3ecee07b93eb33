"""Report endpoints: the history by minute, hour and day, and the sums and rates of a span."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.ids import Id
from spreader.http.problems import INVALID, NOT_FOUND, Problem
from stats.api.pagination import Page, page_body
from stats.api.parameters import Each, From, OfLane, OfPackage, OfProfile, To, Zone, report_range
from stats.api.representations import history_json, report_json
from stats.api.sql_history import COUNTED, ReportKind, history, message, report, stream_rows
from stats.core.report_range import Step

ROWS_MAX = 10_000


class ReportEndpoints:
    def __init__(self, engine: AsyncEngine, clock: Now) -> None:
        self._engine = engine
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(tags=["reports"])
        router.add_api_route("/history", self.history, summary="Counts by minute, hour or day")
        router.add_api_route("/reports/messages/{message_id}", self.message, summary="Sums and rates of one message")
        for of in ("profiles", "packages", "messages"):
            router.add_api_route(
                f"/reports/{of}",
                self.report(of),
                summary=f"Sums and rates of {of}",
                operation_id=f"report_{of}",
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
            counts whole. For messages, these are all counts of a message by a profile in a lane, if the first of them
            is within the span.

            A rate is null if it would be a share of 0 messages: `failed` if nothing was sent and nothing failed,
            `answered` if no open message was delivered, and the others if nothing was sent.
            """
            span = report_range(start, to, "day", "UTC", self._clock)
            query = report(of, span, package_id, page.after, page.read_limit)
            data = [report_json(row) async for row in stream_rows(self._engine, *query)]
            ids = [row.pop("place", None) or row[of[:-1] + "_id"] for row in data]
            return page_body(page, ids, data)

        return answer

    async def message(self, message_id: Annotated[Id, Path()]) -> dict[str, Any]:
        """The sums of a message, and those of each profile that sent it."""
        rows = [row async for row in stream_rows(self._engine, *message(message_id))]
        if not rows:
            raise Problem(NOT_FOUND, f"No delivery of a message {message_id!r} has reached a gateway yet.")
        total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in (*COUNTED, "delivered_open")}
        total |= {"message_id": message_id, "package_id": rows[0]["package_id"]}
        total |= {"first_at": min(row["first_at"] for row in rows), "last_at": max(row["last_at"] for row in rows)}
        return {**report_json(total), "profiles": [report_json(row) for row in rows]}
