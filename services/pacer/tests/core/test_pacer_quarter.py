"""Quarter of the day: no hour has more than a quarter of the daily limit, whatever the hourly limit."""

from datetime import UTC, datetime, timedelta

import pytest

from pacer.core.explanations import explain_bound
from pacer.core.forecast.package_forecast import PackageForecast, forecast_package
from pacer.core.forecast.queue_snapshot import QueuePart, QueueSnapshot
from pacer.core.gap import pace
from pacer.core.hours import Hours
from pacer.core.limits import rolling_limits
from pacer.core.policy import HeldDelivery, Margins, Rules
from pacer.core.schedule import IMMEDIATE, ORDINARY
from pacer.core.simulation import SimulatedProfile, Simulation
from pacer.testing import START, Pacer, assigned, members, package
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits

MORNING = datetime(2026, 2, 10, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
HASTY = ProfileLimits(per_hour=100, per_3_hours=120, per_day=120)


def rules(limits: ProfileLimits, gap: Gap) -> Rules:
    return Rules(limits, Hours(None, "UTC"), gap, 0.4, Margins(timedelta(0), timedelta(0)), 10)


@pytest.mark.parametrize(
    ("limits", "bound", "most"),
    [
        (ProfileLimits(), Bound.HOUR_LIMIT, 20),  # the defaults: as they were
        (ProfileLimits(per_hour=30), Bound.HOUR_LIMIT, 30),
        (ProfileLimits(per_hour=31), Bound.QUARTER_OF_DAY, 30),
        (HASTY, Bound.QUARTER_OF_DAY, 30),
        (ProfileLimits(per_hour=100, per_day=7), Bound.QUARTER_OF_DAY, 1),
        (ProfileLimits(per_hour=2, per_day=3), Bound.QUARTER_OF_DAY, 1),  # at least one
        (ProfileLimits(per_hour=1, per_day=1), Bound.HOUR_LIMIT, 1),
    ],
)
def test_the_lower_of_the_two_hourly_limits_is_in_force(limits: ProfileLimits, bound: Bound, most: int) -> None:
    hour = rolling_limits(limits)[0]
    assert (hour.bound, hour.window, hour.releases_max) == (bound, HOUR, most)


@pytest.mark.parametrize("rank", [ORDINARY, IMMEDIATE])
def test_after_an_idle_night_the_day_takes_four_hours_at_least(rank: int) -> None:
    quick = rules(HASTY, Gap(min_seconds=1, max_seconds=5))
    profile = SimulatedProfile("p1", quick)
    profile.queue.add(HeldDelivery(f"dlv_{number}", rank, MORNING) for number in range(140))
    simulation = Simulation("one", [profile], MORNING)
    simulation.wake()
    releases = list(simulation.run(MORNING + timedelta(hours=20)))
    by_hour = [
        sum(MORNING + hour * HOUR <= each.at < MORNING + (hour + 1) * HOUR for each in releases) for hour in range(20)
    ]
    assert by_hour == [30, 30, 30, 30, *[0] * 16]
    assert Bound.QUARTER_OF_DAY in {each.waited_for for each in releases}


def test_the_pace_never_outruns_a_quarter_of_the_day() -> None:
    assert pace(HASTY, Gap(max_seconds=1), 20 * 3600, 1, 0, 7200, 0.4).mean_seconds == 0.75 * 3600 / 30


def forecast(limits: ProfileLimits) -> PackageForecast:
    snapshot = QueueSnapshot(
        "p1", rules(limits, Gap(max_seconds=1)), [], [], [QueuePart(100, ORDINARY, False, MORNING)]
    )
    return forecast_package("one", [snapshot], None, [], MORNING)


def test_a_forecast_respects_the_quarter_of_the_day() -> None:
    hasty = forecast(HASTY)
    assert max(sum(profiles.values()) for profiles in hasty.curve.values()) == 30
    assert hasty.completion is not None
    assert timedelta(hours=3) < hasty.completion - MORNING < timedelta(hours=4)
    roomy = forecast(HASTY.model_copy(update={"per_day": 400, "per_3_hours": 400})).completion
    assert roomy is not None
    assert roomy - MORNING < HOUR


@pytest.mark.parametrize(
    ("bound", "sentence"),
    [
        (Bound.QUARTER_OF_DAY, "A quarter of the daily limit reached: 30 of 120 messages in the last hour."),
        (Bound.HOUR_LIMIT, "Hourly limit reached: 100 messages in the last hour."),
        (Bound.RECIPIENT_LIMIT, "Recipient limit reached: 2 open messages to this recipient in the last 24 hours."),
        (Bound.CONCURRENT_SENDS, "Limit of concurrent sends reached: 10 deliveries"),
        ("a bound of tomorrow", "a bound of tomorrow"),
    ],
)
def test_a_bound_is_explained_with_its_numbers(bound: str, sentence: str) -> None:
    assert explain_bound(bound, rules(HASTY, Gap())).startswith(sentence)


async def test_an_explanation_names_the_quarter_of_the_day(pacer: Pacer) -> None:
    limits = ProfileLimits(per_hour=5, per_3_hours=15, per_day=16)
    held = package(limits=limits).model_copy(update={Bound.GAP: Gap(min_seconds=1, max_seconds=2)})
    pacer.config.configure(held)
    await pacer.hold(assigned(6))
    for minutes in (0, 15, 30, 45):  # no gap is longer, by the pace of four an hour
        pacer.now = START + timedelta(minutes=minutes)
        (released,) = await pacer.release()
        await pacer.report("sent", released)
    explanation = members(await pacer.explainer.delivery(assigned(6).deliveries[4].delivery_id))
    assert explanation["bound"] == Bound.QUARTER_OF_DAY
    assert "A quarter of the daily limit reached: 4 of 16 messages" in explanation["why"]
    queue = members(await pacer.explainer.queue("one"))
    (profile,) = queue["profiles"]
    assert profile["why"] == explanation["why"]
    assert explanation["next_release"] == START + HOUR + timedelta(seconds=profile["factors"]["slack_seconds"])
    shown = {name: each["limit"] for name, each in profile["limits"].items()}
    assert (shown[Bound.HOUR_LIMIT], shown[Bound.QUARTER_OF_DAY], shown[Bound.DAY_LIMIT]) == (5, 4, 16)
