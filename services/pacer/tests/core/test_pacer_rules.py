"""Rules: limits and hours in force, schedules, and recipients' time zones."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pacer.core.best_hour import best_hour, likelihoods
from pacer.core.hours import Hours
from pacer.core.policy import Margins
from pacer.core.recipient_hours import quiet_until
from pacer.core.rules_in_force import rules_in_force
from pacer.core.schedule import schedule_slot
from pacer.testing import package
from spreader.contract.configuration import ActiveWindow, QuietHours, RestWindow, WarmUp
from spreader.contract.events import OpenOptions, ProfileState
from spreader.phone.time_zone import zone_of

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MARGINS = Margins(timedelta(0), timedelta(0))
ALWAYS = Hours(None, "UTC")
CAIRO, BERLIN, NEW_YORK = "201001234567", "4915112345678", "12125551234"


@pytest.mark.parametrize(
    ("age", "factor", "per_day"),
    [
        (None, 1.0, 120),  # established
        (0, 1.0, 24),  # 20 % of 120
        (7, 1.0, 72),  # half of the way: 60 %
        (14, 1.0, 120),
        (400, 1.0, 120),
        (None, 0.5, 60),  # the automatic factor
        (7, 0.5, 36),  # both
        (0, 0.1, 2),
    ],
)
def test_warm_up_and_automatic_factor_shrink_the_limits(age: int | None, factor: float, per_day: int) -> None:
    one = package().model_copy(update={"warm_up": WarmUp(days=14, from_share=0.2)})
    since = None if age is None else NOON - age * DAY
    profile = one.profiles[0].model_copy(update={"warm_up_from": since})
    state = ProfileState(profile_id="p0", package_id="one", limit_factor=factor, at=NOON)
    found = rules_in_force(one, profile, state, MARGINS, NOON)
    assert found.limits.per_day == per_day
    assert found.factor == factor


def test_each_profile_rests_at_its_own_time_within_the_stagger() -> None:
    rest = RestWindow(start=time(1), hours=4, stagger_minutes=60)
    one = package(profiles=6).model_copy(update={"rest_window": rest})
    offsets = {rules_in_force(one, profile, None, MARGINS, NOON).hours.offset for profile in one.profiles}
    assert len(offsets) > 3
    assert all(abs(offset) <= timedelta(hours=1) for offset in offsets)
    assert offsets == {rules_in_force(one, profile, None, MARGINS, NOON + DAY).hours.offset for profile in one.profiles}


def test_windows_of_work_close_all_other_hours_and_the_rest_within_them() -> None:
    day = (ActiveWindow(start=time(8), end=time(12)), ActiveWindow(start=time(14), end=time(22)))
    hours = Hours(RestWindow(start=time(20), hours=10), "UTC", day)
    opened = [hour for hour in range(24) if hours.next_active(NOON.replace(hour=hour)).hour == hour]
    assert opened == [8, 9, 10, 11, 14, 15, 16, 17, 18, 19]
    assert hours.active_seconds_a_day == 10 * 3600
    over_midnight = Hours(None, "UTC", (ActiveWindow(start=time(22), end=time(2)),))
    assert over_midnight.next_active(NOON) == NOON.replace(hour=22)
    assert over_midnight.next_active(NOON.replace(hour=1)) == NOON.replace(hour=1)


@pytest.mark.parametrize(
    ("recipient", "zone"),
    [(CAIRO, "Africa/Cairo"), (BERLIN, "Europe/Berlin"), (NEW_YORK, "America/New_York"), ("9999999", "UTC")],
)
def test_a_phone_number_has_a_time_zone(recipient: str, zone: str) -> None:
    assert zone_of(recipient).utcoffset(NOON) == ZoneInfo(zone).utcoffset(NOON)


def test_an_unknown_recipient_has_the_default_zone() -> None:
    """A forecast does not read the recipients of deliveries ahead: they have the quiet hours of the profile's zone."""
    quiet = QuietHours(start=time(21), hours=12)
    half_past_six = datetime(2026, 1, 10, 6, 30, tzinfo=UTC)
    assert quiet_until(quiet, "", half_past_six, "Africa/Cairo") == half_past_six + timedelta(minutes=30)
    assert quiet_until(quiet, "", half_past_six, "Asia/Kolkata") is None


@pytest.mark.parametrize(
    ("recipient", "hour", "until"),
    [
        (CAIRO, 18, None),  # 20:00 there
        (CAIRO, 19, 7 + 24),  # 21:00 there, until 09:00, which is 07:00 UTC
        (CAIRO, 3, 7),
        (NEW_YORK, 19, None),  # 14:00 there
        (NEW_YORK, 3, 14),  # 22:00 the day before there
    ],
)
def test_quiet_hours_are_those_where_the_number_is_from(recipient: str, hour: int, until: int | None) -> None:
    quiet = QuietHours(start=time(21), hours=12)
    midnight = NOON.replace(hour=0)
    expected = None if until is None else midnight + timedelta(hours=until)
    assert quiet_until(quiet, recipient, midnight + timedelta(hours=hour)) == expected


def test_drip_until_spreads_evenly_up_to_its_end() -> None:
    options = OpenOptions(waiting_strategy="drip", drip_until=NOON + timedelta(hours=10))
    placed = [schedule_slot(options, NOON, index, 11, CAIRO).not_before for index in range(11)]
    assert placed == [NOON + timedelta(hours=index) for index in range(11)]
    late = options.model_copy(update={"schedule_at": NOON + timedelta(hours=12)})
    assert schedule_slot(late, NOON, 10, 11, CAIRO).not_before == NOON + timedelta(hours=12)


def test_a_local_schedule_is_on_each_recipients_own_clock() -> None:
    options = OpenOptions(waiting_strategy="scheduled", schedule_local=datetime.fromisoformat("2026-02-11T10:00:00"))
    hours = [schedule_slot(options, NOON, 0, 1, recipient).not_before.hour for recipient in (CAIRO, BERLIN, NEW_YORK)]
    assert hours == [8, 9, 15]


def test_the_best_hour_follows_own_then_package_then_general_counts() -> None:
    everyone = likelihoods({}, {})
    assert max(range(24), key=lambda hour: everyone[hour]) == 20
    of_package = likelihoods({}, {9: 200})
    assert max(range(24), key=lambda hour: of_package[hour]) == 9
    own = likelihoods({14: 30}, {9: 200})
    assert max(range(24), key=lambda hour: own[hour]) == 14
    assert sum(own) == pytest.approx(1)


def test_the_best_hour_is_active_and_not_quiet() -> None:
    quiet = QuietHours(start=time(12), hours=11)
    best = best_hour(CAIRO, {14: 30}, {}, ALWAYS, quiet, NOON)
    assert NOON <= best.at < NOON + DAY
    assert quiet_until(quiet, CAIRO, best.at) is None
    free = best_hour(CAIRO, {17: 30}, {}, ALWAYS, None, NOON)
    assert datetime(2026, 2, 10, 15, tzinfo=UTC) <= free.at < datetime(2026, 2, 10, 16, tzinfo=UTC)
    assert "30 readings" in free.reason
