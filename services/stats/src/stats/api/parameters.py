"""Parameters: the query parameters that several endpoints share."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AwareDatetime

from spreader.clock import Now
from spreader.contract.events import Lane
from spreader.contract.ids import Id
from spreader.http.problems import INVALID, Problem
from stats.core.report_range import InvalidRange, ReportRange, Step

From = Annotated[AwareDatetime | None, Query(alias="from", description="The start, included. Write a `+` as `%2B`.")]
To = Annotated[AwareDatetime | None, Query(description="The end, excluded. By default: now.")]
Zone = Annotated[str, Query(max_length=64, description="The time zone in which days begin.", examples=["Africa/Cairo"])]
OfPackage = Annotated[Id | None, Query(description="Only this package.")]
OfProfile = Annotated[Id | None, Query(description="Only this profile.")]
OfLane = Annotated[Lane | None, Query(description="Only this lane.")]
Each = Annotated[Literal["profile"] | None, Query(description="One row for each profile.")]


def report_range(start: datetime | None, end: datetime | None, step: Step, zone: str, clock: Now) -> ReportRange:
    """The requested range. Raises the problem `invalid` if the range is not valid."""
    try:
        return ReportRange.of(start, end, step, zone, clock())
    except InvalidRange as reason:
        raise Problem(INVALID, f"{reason}.") from None
