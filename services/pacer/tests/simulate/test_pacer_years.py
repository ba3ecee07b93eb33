"""Years: the promises about the pace in a short simulation; `python -m simulate` with 200 profiles runs a year."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from simulate.findings import Finding, judge
from simulate.fleet import Fleet
from simulate.workers import study_package
from simulate.year import year

from pacer.core.limits import DAY
from spreader.contract.bounds import Bound
from spreader.contract.configuration import ProfileLimits


@pytest.fixture(scope="module")
def found() -> dict[str, Finding]:
    """Eight profiles of two packages with more than ten deliveries waiting, for a fortnight."""
    fleet = Fleet(profiles=12, days=14, pattern="rush", seed=1)
    studies = [study for number in (0, 2) for study in study_package(fleet, number)]
    assert len(studies) == 8
    return {each.promise: each for each in judge(studies)}


@pytest.mark.parametrize(
    "promise",
    [
        "zero breaches: hour limit",
        "zero breaches: 3 hours limit",
        "zero breaches: day limit",
        "zero releases in a rest window",
        "coefficient of variation, over 10 wait",
        "a queue over 10 doubles the mean (factor)",
        "two slow hours shorten the gap (factor)",
        "fullest hour after an idle night (share)",
    ],
)
def test_every_profile_keeps_the_promise(found: dict[str, Finding], promise: str) -> None:
    assert found[promise].profiles == 8
    assert found[promise].holds, found[promise]


def test_gaps_hardly_depend_on_the_previous_one(found: dict[str, Finding]) -> None:
    """The bound for a year is 0.1. The standard error of 1,300 gaps is 0.028; twice that is added here."""
    shown = found["lag-1 autocorrelation, over 10 wait"]
    assert shown.profiles == 8
    assert -0.156 < shown.least <= shown.most < 0.156


@pytest.fixture(scope="module")
def calm() -> dict[str, Finding]:
    """Four profiles with single arrivals, for eight months: mostly fewer than ten deliveries wait."""
    return {each.promise: each for each in judge(study_package(Fleet(4, 240, "steady", seed=1), 0))}


@pytest.mark.parametrize(
    "promise",
    [
        "coefficient of variation, under 10 wait",
        "lag-1 autocorrelation, under 10 wait",
        "the same with waits for limits, under 10 wait",
        "a queue under 10 halves the mean (factor)",
        "two slow hours shorten the gap (factor)",
        "two fast hours lengthen the gap (factor)",
    ],
)
def test_every_profile_keeps_the_promise_while_few_wait(calm: dict[str, Finding], promise: str) -> None:
    assert calm[promise].profiles == 4
    assert calm[promise].holds, calm[promise]


@pytest.mark.parametrize("pattern", ["levels", "rush"])
def test_no_day_repeats_the_one_before(pattern: str) -> None:
    """Without slack and start delay, releases after a limit or a rest would repeat the day before to the second."""
    for ledger in year(Fleet(4, 30, pattern, seed=1), 0):
        moments = [release.at for release in ledger.releases]
        held = [release.at for release in ledger.releases if release.bound in (Bound.DAY_LIMIT, Bound.REST_WINDOW)]
        assert len(held) >= 29
        repeated = sum(_any_within_a_second(moments, moment - DAY) for moment in held)
        assert repeated <= 0.1 * len(held)


def test_profiles_of_a_package_do_not_begin_their_day_together() -> None:
    ledgers = year(Fleet(4, 30, "rush", seed=1), 0)
    mornings = [[each.at for each in ledger.releases if each.bound == Bound.REST_WINDOW] for ledger in ledgers]
    for firsts in zip(*mornings, strict=True):
        assert max(firsts) - min(firsts) < timedelta(minutes=10)
    spans = [max(firsts) - min(firsts) for firsts in zip(*mornings, strict=True)]
    assert sum(span > timedelta(minutes=1) for span in spans) > 25


def _any_within_a_second(moments: Sequence[datetime], moment: datetime) -> bool:
    place = bisect_left(moments, moment - timedelta(seconds=1))
    return place < len(moments) and moments[place] <= moment + timedelta(seconds=1)


def test_after_an_idle_night_a_quarter_of_the_day_goes_in_an_hour_and_no_more() -> None:
    """With settings that would release all 120 of the day in an hour and a half."""
    hasty = ProfileLimits(per_hour=100, per_3_hours=120, per_day=120)
    studies = study_package(Fleet(4, 10, "bursts", seed=1, limits=hasty, gap_max_seconds=20), 0)
    assert [study.breaches[Bound.QUARTER_OF_DAY] for study in studies] == [0] * 4
    assert [study.fullest_hour for study in studies] == [0.25] * 4


def test_a_simulation_is_reproducible() -> None:
    fleet = Fleet(profiles=4, days=3, pattern="bursts", seed=7)
    assert study_package(fleet, 0) == study_package(fleet, 0)
