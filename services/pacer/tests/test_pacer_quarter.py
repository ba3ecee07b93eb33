"""Quarter: no hour holds more than a quarter of the day's limit, whatever the hour's own limit says."""

from datetime import UTC, datetime, timedelta

import pytest

from pacer.core.explanations import meaning
from pacer.core.forecast import Outlook, Situation, Waiting, foresee
from pacer.core.gap import pace
from pacer.core.hours import Hours
from pacer.core.limits import QUARTER_OF_DAY, rolling
from pacer.core.policy import Head, Margins, Rules
from pacer.core.schedule import IMMEDIATE, ORDINARY
from pacer.core.simulation import Course, Runner
from pacer.testing import START, Pacer, assigned, package
from spreader.contract.configuration import Gap, ProfileLimits

MORNING = datetime(2026, 2, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
HASTY = ProfileLimits(per_hour=100, per_3_hours=120, per_day=120)


def rules(limits: ProfileLimits, gap: Gap) -> Rules:
    return Rules(limits, Hours(None, "UTC"), gap, 0.4, Margins(timedelta(0), timedelta(0)), 10)


@pytest.mark.parametrize(
    ("limits", "name", "most"),
    [
        (ProfileLimits(), "hour limit", 20),  # the defaults: as they were
        (ProfileLimits(per_hour=30), "hour limit", 30),
        (ProfileLimits(per_hour=31), QUARTER_OF_DAY, 30),
        (HASTY, QUARTER_OF_DAY, 30),
        (ProfileLimits(per_hour=100, per_day=7), QUARTER_OF_DAY, 1),
        (ProfileLimits(per_hour=2, per_day=3), QUARTER_OF_DAY, 1),  # at least one
        (ProfileLimits(per_hour=1, per_day=1), "hour limit", 1),
    ],
)
def test_the_tighter_of_the_hours_two_limits_holds_and_is_named(limits: ProfileLimits, name: str, most: int) -> None:
    hour = rolling(limits)[0]
    assert (hour.name, hour.window, hour.releases_max) == (name, HOUR, most)


@pytest.mark.parametrize("rank", [ORDINARY, IMMEDIATE])
def test_after_an_idle_night_the_day_takes_four_hours_at_least(rank: int) -> None:
    quick = rules(HASTY, Gap(min_seconds=1, max_seconds=5))
    runner = Runner("p1", quick)
    runner.line.add(Head(f"dlv_{number}", rank, MORNING) for number in range(140))
    course = Course("one", [runner], MORNING)
    course.wake()
    went = list(course.run(MORNING + timedelta(hours=20)))
    by_hour = [sum(MORNING + hour * HOUR <= each.at < MORNING + (hour + 1) * HOUR for each in went)
               for hour in range(20)]  # fmt: skip
    assert by_hour == [30, 30, 30, 30, *[0] * 16]
    assert QUARTER_OF_DAY in {each.waited_for for each in went}


def test_the_pace_never_outruns_a_quarter_of_the_day() -> None:
    assert pace(HASTY, Gap(max_seconds=1), 20 * 3600, 1, 0, 7200, 0.4).mean_seconds == 0.75 * 3600 / 30


def foreseen(limits: ProfileLimits) -> Outlook:
    situation = Situation("p1", rules(limits, Gap(max_seconds=1)), [], [], [Waiting(100, ORDINARY, False, MORNING)])
    return foresee("one", [situation], None, [], MORNING)


def test_a_forecast_reckons_with_the_quarter_and_names_it() -> None:
    hasty = foreseen(HASTY)
    assert max(sum(profiles.values()) for profiles in hasty.curve.values()) == 30
    assert hasty.completion is not None
    assert timedelta(hours=3) < hasty.completion - MORNING < timedelta(hours=4)
    roomy = foreseen(HASTY.model_copy(update={"per_day": 400, "per_3_hours": 400})).completion
    assert roomy is not None
    assert roomy - MORNING < HOUR


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (QUARTER_OF_DAY, "An hour holds at most a quarter of the day's limit, 30 of 120, and the last one is full"),
        ("hour limit", "An hour holds at most 100 releases"),
        ("recipient limit", "A recipient gets at most 2 open messages"),
        ("concurrent sends", "At most 10 deliveries"),
        ("a bound of tomorrow", "a bound of tomorrow"),
    ],
)
def test_a_bound_is_told_in_plain_words_with_its_numbers(bound: str, said: str) -> None:
    assert meaning(bound, rules(HASTY, Gap())).startswith(said)


async def test_an_explanation_says_that_a_quarter_of_the_day_has_gone(pacer: Pacer) -> None:
    limits = ProfileLimits(per_hour=5, per_3_hours=15, per_day=16)
    held = package(limits=limits).model_copy(update={"gap": Gap(min_seconds=1, max_seconds=2)})
    pacer.directory.configure(held)
    await pacer.take(assigned(6))
    for minutes in (0, 15, 30, 45):  # no gap is longer, by the pace of four an hour
        pacer.now = START + timedelta(minutes=minutes)
        (released,) = await pacer.release()
        await pacer.answer("sent", released)
    told = await pacer.explaining.delivery(assigned(6).deliveries[4].delivery_id)
    assert told is not None
    assert told["bound"] == QUARTER_OF_DAY
    assert "a quarter of the day's limit, 4 of 16" in told["why"]
    queue = await pacer.explaining.queue("one")
    assert queue is not None
    (profile,) = queue["profiles"]
    assert profile["why"] == told["why"]
    assert told["next_release"] == START + HOUR + timedelta(seconds=profile["factors"]["slack_seconds"])
    shown = {name: each["limit"] for name, each in profile["limits"].items()}
    assert (shown["hour limit"], shown[QUARTER_OF_DAY], shown["day limit"]) == (5, 4, 16)
