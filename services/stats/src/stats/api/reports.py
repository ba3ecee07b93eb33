"""Reports: what was, over HTTP: counts by minute, hour and day, and success rates of a span."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.events import Lane
from spreader.contract.ids import Id
from spreader.http.problems import INVALID, NOT_FOUND, Problem
from stats.api.pagination import Page, page_body
from stats.api.sql_history import COUNTED, Report, history, message, report, rows
from stats.core.report_range import InvalidRange, ReportRange, Step

ROWS_MAX = 10_000

From = Annotated[AwareDatetime | None, Query(alias="from", description="The first moment. A `+` is written `%2B`.")]
To = Annotated[AwareDatetime | None, Query(description="The first moment after; else now.")]
Zone = Annotated[str, Query(max_length=64, description="Where days begin.", examples=["Africa/Cairo"])]
OfPackage = Annotated[Id | None, Query(description="Only this package.")]
OfProfile = Annotated[Id | None, Query(description="Only this profile.")]
OfLane = Annotated[Lane | None, Query(description="Only this lane.")]
Each = Annotated[Literal["profile"] | None, Query(description="A row for each profile.")]


class ReportEndpoints:
    def __init__(self, engine: AsyncEngine, clock: Now) -> None:
        self._engine = engine
        self._clock = clock

    def router(self) -> APIRouter:
        router = APIRouter(tags=["reports"])
        router.add_api_route("/history", self.history, summary="Counts by minute, hour or day")
        router.add_api_route("/reports/messages/{message_id}", self.message, summary="How one message fared")
        for of in ("profiles", "packages", "messages"):
            router.add_api_route(
                f"/reports/{of}",
                self.report(of),
                summary=f"Sums and success rates of {of}",
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
        """Moments in which nothing happened have no row."""
        span = range_of(start, to, by, timezone, self._clock)
        statement, asked = history(
            span, package_id, profile_id, lane, each_profile=each is not None, limit=ROWS_MAX + 1
        )
        data = [told(row) async for row in rows(self._engine, statement, asked)]
        if len(data) > ROWS_MAX:
            raise Problem(
                INVALID,
                f"These are more than {ROWS_MAX} rows: ask for a shorter span or larger steps, or export them.",
            )
        for row in data:
            row.setdefault("profile_id", profile_id)
        return {"by": by, "from": span.start, "to": span.end, "timezone": timezone, "data": data}

    def report(self, of: Report) -> Any:
        async def answer(page: Page, start: From = None, to: To = None, package_id: OfPackage = None) -> dict[str, Any]:
            """By whole hours: those that begin within the span. Shares are null where nothing was sent."""
            span = range_of(start, to, "day", "UTC", self._clock)
            statement, asked = report(of, span, package_id, page.after, page.read_limit)
            data = [rated(row) async for row in rows(self._engine, statement, asked)]
            ids = [row.pop("place", None) or row[of[:-1] + "_id"] for row in data]
            return page_body(page, ids, data)

        return answer

    async def message(self, message_id: Annotated[Id, Path()]) -> dict[str, Any]:
        """Its sums, and those of each profile that sent it."""
        statement, asked = message(message_id)
        found = [row async for row in rows(self._engine, statement, asked)]
        if not found:
            raise Problem(NOT_FOUND, f"Nothing of a message {message_id!r} has reached a gateway.")
        total: dict[str, Any] = {name: sum(row[name] for row in found) for name in (*COUNTED, "delivered_open")}
        total |= {"message_id": message_id, "package_id": found[0]["package_id"]}
        total |= {"first_at": min(row["first_at"] for row in found), "last_at": max(row["last_at"] for row in found)}
        return {**rated(total), "profiles": [rated(row) for row in found]}


def range_of(start: Any, end: Any, step: Step, zone: str, clock: Now) -> ReportRange:
    try:
        return ReportRange.of(start, end, step, zone, clock())
    except InvalidRange as reason:
        raise Problem(INVALID, f"{reason}.") from None


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the history as it is answered."""
    failures = row["failures"]
    return {**row, "failures": json.loads(failures) if isinstance(failures, str) else failures}


def rated(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a report with its shares."""
    sent, failed = row["sent"], row["failed"]
    rates = {
        "delivered": _share(row["delivered"], sent),
        "read": _share(row["read"], sent),
        "failed": _share(failed, sent + failed),
        "answered": _share(row["answered"], row["delivered_open"]),
    }
    return {**{name: value for name, value in row.items() if name not in _INNER}, "rates": rates}


_INNER = frozenset({"delivered_open", "arrived", "night"})


def _share(part: int, whole: int) -> float | None:
    return round(min(part / whole, 1.0), 4) if whole else None
