"""Hours: rest windows in local time, also when the clocks change."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.core.hours import Hours
from spreader.contract.configuration import RestWindow

CAIRO = Hours(RestWindow(start=time(1), hours=4), "Africa/Cairo")  # UTC+2 in winter, +3 in summer
BERLIN = Hours(RestWindow(start=time(1), hours=4), "Europe/Berlin")
ALWAYS = Hours(None, "UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "moment", "active"),
    [
        (CAIRO, "2026-01-10T22:59:59", "2026-01-10T22:59:59"),
        (CAIRO, "2026-01-10T23:00:00", "2026-01-11T03:00:00"),
        (CAIRO, "2026-01-11T02:59:59", "2026-01-11T03:00:00"),
        (CAIRO, "2026-01-11T03:00:00", "2026-01-11T03:00:00"),
        # Spring in Berlin: 01:00 +1 is 00:00 UTC; four hours later the wall shows 06:00.
        (BERLIN, "2026-03-29T00:00:00", "2026-03-29T04:00:00"),
        # Autumn: 01:00 +2 is 23:00 UTC; four hours later the wall shows 04:00.
        (BERLIN, "2026-10-24T23:30:00", "2026-10-25T03:00:00"),
        (ALWAYS, "2026-01-10T23:30:00", "2026-01-10T23:30:00"),
    ],
)
def test_a_time_in_a_rest_moves_to_the_end_of_the_rest(hours: Hours, moment: str, active: str) -> None:
    assert hours.next_active(at(moment)) == at(active)


def test_the_margin_lets_the_rest_begin_earlier() -> None:
    margin = timedelta(minutes=10)
    assert CAIRO.next_active(at("2026-01-10T22:50:00"), margin) == at("2026-01-11T03:00:00")
    assert CAIRO.next_active(at("2026-01-10T22:49:59"), margin) == at("2026-01-10T22:49:59")


@pytest.mark.parametrize(
    ("hours", "delay_minutes", "active"),
    [
        (CAIRO, 10, "2026-01-11T03:10:00"),
        (CAIRO, 0, "2026-01-11T03:00:00"),
        (CAIRO, 24 * 60, "2026-01-11T13:00:00"),  # half of the twenty hours are left
        (Hours(RestWindow(start=time(1), hours=23.9), "UTC"), 60, "2026-01-11T00:57:00"),
    ],
)
def test_a_start_delay_lets_the_rest_end_later_but_leaves_half_of_the_day(
    hours: Hours, delay_minutes: int, active: str
) -> None:
    delay, rested = timedelta(minutes=delay_minutes), at("2026-01-11T00:00:00")
    assert hours.next_active(rested, start_delay=delay) == at(active)
    assert hours.next_active(at(active), start_delay=delay) == at(active)


def test_the_next_rest_is_the_first_that_begins_from_now_on() -> None:
    assert CAIRO.next_rest(at("2026-01-10T22:00:00")) == at("2026-01-10T23:00:00")
    assert CAIRO.next_rest(at("2026-01-10T23:00:01")) == at("2026-01-11T23:00:00")
    assert ALWAYS.next_rest(at("2026-01-10T22:00:00")) is None


def test_active_seconds_leave_out_the_rest() -> None:
    assert CAIRO.active_seconds(at("2026-01-10T22:00:00"), at("2026-01-11T00:00:00")) == 3600
    assert CAIRO.active_seconds(at("2026-01-10T23:30:00"), at("2026-01-11T01:30:00")) == 0
    assert ALWAYS.active_seconds(at("2026-01-10T22:00:00"), at("2026-01-11T00:00:00")) == 7200
    assert CAIRO.active_seconds_a_day == 20 * 3600


zones = st.sampled_from(["Africa/Cairo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
rests = st.builds(
    RestWindow,
    start=st.times(min_value=time(0), max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0)),
    hours=st.integers(1, 23).map(float),
)
moments = st.integers(0, 235 * 24 * 3600).map(lambda second: at("2026-03-20T00:00:00") + timedelta(seconds=second))


@given(rests, zones, moments)
def test_next_active_is_never_in_a_rest(rest: RestWindow, zone: str, moment: datetime) -> None:
    """Fails with `<` for `<=` at the begin of a rest, and with a rest that ends at a local time."""
    active = Hours(rest, zone).next_active(moment)
    assert active >= moment
    assert Hours(rest, zone).next_active(active) == active
    assert Hours(rest, zone).active_seconds(active, active + timedelta(seconds=1)) > 0
