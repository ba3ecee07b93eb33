"""Gap: the formula of docs/pacing.md, in tables and laws."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.core.gap import pace, slack_max, spread_of
from spreader.contract.configuration import Gap, ProfileLimits

DEFAULTS = ProfileLimits()  # 20 an hour, 50 in 3 hours, 120 a day
DAY_SECONDS = 20 * 3600.0
ON_PACE = 12  # 120 a day over 20 active hours: 12 in two hours
TWO_HOURS = 7200.0


@pytest.mark.parametrize(
    ("waiting", "sent", "mean"),
    [
        (10, ON_PACE, 600),  # exactly ten: as it is
        (11, ON_PACE, 1200),  # a rush: twice
        (9, ON_PACE, 300),  # calm: half
        (10, 0, 300),  # two slow hours: half, at most
        (10, 24, 1200),  # two fast hours: twice, at most
        (0, 0, 282),  # calm and behind: a little less than half
        (9, 24, 318),  # calm and ahead: a little more
        (11, 24, 2400),
    ],
)
def test_the_mean_follows_the_queue_and_the_last_two_hours(waiting: int, sent: int, mean: float) -> None:
    made = pace(DEFAULTS, Gap(), DAY_SECONDS, waiting, sent, TWO_HOURS, 0.4)
    assert made.mean_seconds == pytest.approx(mean)


@pytest.mark.parametrize(
    ("gap", "waiting", "sent", "mean"),
    [
        (Gap(rush_factor=3), 11, ON_PACE, 1800),
        (Gap(calm_factor=0.8), 9, ON_PACE, 480),
        (Gap(tempo_min=0.8), 10, 0, 480),
        (Gap(tempo_max=1.5), 10, 24, 900),
        (Gap(calm_tempo=10), 9, 24, 600),  # without the narrow tempo: calm halves it, two fast hours double it
        (Gap(calm_tempo=0), 9, 24, 300),
        (Gap(calm_factor=0.1, fastest=0.5), 9, ON_PACE, 90),
    ],
)
def test_every_number_of_the_gap_is_a_setting(gap: Gap, waiting: int, sent: int, mean: float) -> None:
    made = pace(DEFAULTS, gap, DAY_SECONDS, waiting, sent, TWO_HOURS, 0.4)
    assert made.mean_seconds == pytest.approx(mean)


def test_the_slack_is_a_share_of_the_base_and_lies_where_it_is_drawn() -> None:
    made = pace(DEFAULTS, Gap(slack=0.5), DAY_SECONDS, 0, 0, TWO_HOURS, 0.4)
    assert [made.slack(position) for position in (0, 0.5, 1)] == [timedelta(seconds=each) for each in (0, 150, 300)]
    assert slack_max(DEFAULTS, Gap(slack=0.5), DAY_SECONDS, 0.4) == timedelta(seconds=300)


@pytest.mark.parametrize(
    ("limits", "base"),
    [
        (ProfileLimits(per_hour=20, per_3_hours=60, per_day=400), 180.0),
        (ProfileLimits(per_hour=20, per_3_hours=50, per_day=400), 216.0),
        (ProfileLimits(per_hour=20, per_3_hours=50, per_day=120), 600.0),
    ],
)
def test_the_tightest_limit_makes_the_base(limits: ProfileLimits, base: float) -> None:
    assert pace(limits, Gap(), DAY_SECONDS, 10, ON_PACE, TWO_HOURS, 0.4).base_seconds == base


def test_an_operators_range_is_the_range() -> None:
    made = pace(DEFAULTS, Gap(min_seconds=300, max_seconds=900), DAY_SECONDS, 10, ON_PACE, TWO_HOURS, 0.4)
    assert (made.gap(0), made.gap(1)) == (timedelta(seconds=300), timedelta(seconds=900))


def test_the_mean_never_outruns_the_hour() -> None:
    fast = ProfileLimits(per_hour=20, per_3_hours=60, per_day=480)
    made = pace(fast, Gap(), DAY_SECONDS, 0, 0, TWO_HOURS, 0.4)
    assert made.mean_seconds == 0.75 * 180


@given(st.floats(0, 1), st.integers(0, 30), st.integers(0, 60))
def test_a_gap_lies_within_its_spread(position: float, waiting: int, sent: int) -> None:
    made = pace(DEFAULTS, Gap(), DAY_SECONDS, waiting, sent, TWO_HOURS, 0.4)
    assert 0.6 * made.mean_seconds - 1e-3 <= made.gap(position).total_seconds() <= 1.4 * made.mean_seconds + 1e-3


def test_packages_and_profiles_differ_in_spread_and_keep_it() -> None:
    def spreads(centre: float | None = None) -> dict[tuple[str, str], float]:
        return {(one, two): spread_of(one, two, centre) for one in ("shop", "news") for two in ("a", "b", "c")}

    assert len(set(spreads().values())) == 6
    assert spreads() == spreads()
    assert all(0.35 <= spread <= 0.5 for spread in spreads().values())
    assert all(0.55 <= spread <= 0.65 for spread in spreads(0.6).values())
