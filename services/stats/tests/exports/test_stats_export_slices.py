"""Slices: an export reads each step of a span once, in order, and in few pages."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.core.report_range import ReportRange, Step
from stats.exports.slices import Slice, first_slice, next_slice

PAGE = 4
ZONES = ["UTC", "Africa/Cairo", "America/Havana", "Pacific/Apia", "Atlantic/Azores", "Asia/Beirut"]
LENGTHS: dict[Step, timedelta] = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(hours=1)}
"""How far apart the counted times may be. The rows of a day are those of all its hours."""
Row = tuple[datetime, int]


def moment_of(span: ReportRange, at: datetime) -> datetime:
    """The step of a count, as Postgres computes it: an ambiguous midnight is the later one."""
    if span.step != "day":
        return at
    day = at.astimezone(ZoneInfo(span.zone)).date()
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(span.zone), fold=1).astimezone(UTC)


def read(span: ReportRange, counted: list[Row], after: Row | None) -> list[Row]:
    """What the statement of one page returns: one row for each step and profile."""
    rows = {(moment_of(span, at), profile) for at, profile in counted if span.start <= at < span.end}
    return sorted(row for row in rows if after is None or row > after)[:PAGE]


def export(span: ReportRange, counted: list[Row]) -> tuple[list[Row], list[Slice]]:
    rows, slices, after = list[Row](), list[Slice](), None
    piece = first_slice(span)
    while piece is not None:
        slices.append(piece)
        page = read(piece.range, counted, after)
        rows += page
        after = page[-1] if page else after
        piece = next_slice(span, piece, page[-1][0] if len(page) == PAGE else None)
    return rows, slices


@st.composite
def histories(draw: st.DrawFn) -> tuple[ReportRange, list[Row]]:
    step: Step = draw(st.sampled_from(("minute", "hour", "day")))
    start = datetime(2026, draw(st.integers(1, 12)), draw(st.integers(1, 28)), draw(st.integers(0, 23)), tzinfo=UTC)
    steps = draw(st.integers(1, 2_000))
    span = ReportRange(start, start + steps * LENGTHS[step], step, draw(st.sampled_from(ZONES)))
    row = st.tuples(st.integers(-3, steps + 3), st.integers(0, 9))
    return span, [(start + place * LENGTHS[step], profile) for place, profile in draw(st.lists(row, max_size=60))]


@given(histories())
def test_every_row_is_exported_once_and_in_order(example: tuple[ReportRange, list[Row]]) -> None:
    span, counted = example
    rows, slices = export(span, counted)
    assert rows == sorted({(moment_of(span, at), profile) for at, profile in counted if span.start <= at < span.end})
    assert all(piece.range.start < piece.range.end <= span.end for piece in slices)
    assert all(earlier.range.start <= later.range.start for earlier, later in pairwise(slices))


def test_a_span_that_begins_within_a_day_has_no_row_from_before() -> None:
    start = datetime(2026, 1, 1, 10, tzinfo=UTC)
    span = ReportRange(start, start + timedelta(days=3), "day", "UTC")
    counted = [(start - timedelta(hours=5), 9), *((start, profile) for profile in range(PAGE + 1))]
    assert [profile for _, profile in export(span, counted)[0]] == list(range(PAGE + 1))


@given(histories())
def test_the_pages_are_few(example: tuple[ReportRange, list[Row]]) -> None:
    span, counted = example
    rows, slices = export(span, counted)
    assert len(slices) <= 3 * len(rows) / PAGE + 3 * len(rows) + 12


def test_a_long_time_without_rows_takes_few_pages() -> None:
    start, end = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for step in ("minute", "hour", "day"):
        rows, slices = export(ReportRange(start, end, step, "Pacific/Apia"), [(noon, 1), (noon, 2)])
        assert len(rows) == 2
        assert len(slices) < 40


@pytest.mark.parametrize("start", [datetime(9500, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
def test_a_span_in_which_nothing_can_be_counted_has_no_slice(start: datetime) -> None:
    assert first_slice(ReportRange(start, start + timedelta(days=1), "day", "America/Havana")) is None
