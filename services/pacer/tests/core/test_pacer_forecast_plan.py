"""Forecasts of any size take a bounded number of simulated releases, and still come near the full simulation."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pacer.core.forecast.extrapolation import even_curve
from pacer.core.forecast.message_share import MessageShare
from pacer.core.forecast.package_forecast import LOOKS_OF_A_STEP, PackageForecast, forecast_package
from pacer.core.forecast.plan import STEPS_OF_ANSWER, STEPS_OF_LIFTED, QueueLoad, plan_forecast
from pacer.core.forecast.queue_snapshot import QueuePart, QueueSnapshot
from pacer.core.hours import Hours
from pacer.core.policy import Margins, Rules
from pacer.core.schedule import IMMEDIATE, ORDINARY
from pacer.core.simulation import Simulation
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits
from spreader.contract.events import OpenOptions

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPTIONS = OpenOptions()


def rules(limits: ProfileLimits | None = None, stopped: Bound | None = None) -> Rules:
    margins = Margins(timedelta(0), timedelta(0))
    return Rules(limits or ProfileLimits(), Hours(None, "UTC"), Gap(), 0.4, margins, 10, stopped)


def share(
    number: int, profiles: int, each: int, recipients: Sequence[str] = (), options: OpenOptions = OPTIONS
) -> MessageShare:
    indexes = range(number, number + profiles * each, profiles)
    return MessageShare(f"p{number}", options, recipients, NOON, profiles * each, indexes)


def message(profiles: int, each: int, recipients: Sequence[str] = ()) -> list[QueueSnapshot]:
    return [
        QueueSnapshot(f"p{number}", rules(), [], [], [], share(number, profiles, each, recipients))
        for number in range(profiles)
    ]


def hours(forecast: PackageForecast) -> float:
    assert forecast.completion is not None
    return (forecast.completion - NOON) / HOUR


@pytest.mark.parametrize(("profiles", "each"), [(1, 30_000), (4, 125), (7, 90), (201, 40), (1_000, 1), (1_000, 100)])
def test_no_forecast_simulates_more_releases_than_allowed(profiles: int, each: int) -> None:
    """Red before: from 201 profiles on, 40 releases of each were simulated."""
    forecast = forecast_package("one", message(profiles, each), None, [], NOON, STEPS_OF_ANSWER)
    assert 0 < forecast.simulated <= STEPS_OF_ANSWER
    assert (forecast.counted_until is None) == (profiles * each <= STEPS_OF_ANSWER)
    assert len(forecast.profiles) == profiles
    within = sum(sum(hour.values()) for hour in forecast.curve.values())
    assert within == profiles * each if profiles > 1 else 0 < within < each  # the curve ends after 400 days


@pytest.mark.parametrize(("profiles", "each"), [(1, 3_000), (4, 2_000), (20, 50), (300, 10), (1_000, 5)])
def test_an_extrapolated_time_is_near_the_simulated_one(profiles: int, each: int) -> None:
    queues = message(profiles, each)
    answer = forecast_package("one", queues, None, [], NOON, STEPS_OF_ANSWER)
    simulated = forecast_package("one", queues, None, [], NOON)
    assert answer.counted_until is not None
    assert simulated.counted_until is None
    assert hours(answer) == pytest.approx(hours(simulated), rel=0.25)


def test_the_profile_with_most_work_is_always_simulated() -> None:
    loads = [
        QueueLoad(f"p{number}", waiting, waiting, 0, 120, None)
        for number, waiting in enumerate([*[30] * 500, 400, *[30] * 500])
    ]
    plan = plan_forecast(loads, STEPS_OF_ANSWER)
    assert plan.steps["p500"] >= max(plan.steps.values())
    assert sum(plan.steps.values()) <= STEPS_OF_ANSWER
    assert plan.steps.keys() | plan.like.keys() == {load.profile_id for load in loads}
    assert set(plan.like.values()) <= plan.steps.keys()


def test_short_queues_leave_their_steps_to_longer_ones() -> None:
    loads = [QueueLoad(f"p{number}", waiting, waiting, 0, 120, None) for number, waiting in enumerate([3, 10_000, 7])]
    assert plan_forecast(loads, 500).steps == {"p0": 3, "p2": 7, "p1": 490}


def test_a_stopped_profile_has_no_completion_and_takes_no_steps() -> None:
    stopped = QueueSnapshot("p", rules(stopped=Bound.PROFILE_PAUSED), [], [], [QueuePart(900, ORDINARY, False, NOON)])
    forecast = forecast_package("one", [stopped], None, [], NOON, STEPS_OF_ANSWER)
    assert (forecast.completion, forecast.binds, forecast.simulated) == (None, "profile paused", 0)


@pytest.mark.parametrize(("profiles", "each", "per_day"), [(400, 50, 64), (100, 5, 2)])
def test_a_full_package_limit_does_not_make_a_forecast_endless(
    profiles: int, each: int, per_day: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red before: each profile looked again for each release, which makes 8,000 times 400 looks."""
    simulations: list[Simulation] = []
    run = Simulation.run
    monkeypatch.setattr(Simulation, "run", lambda self, until: (simulations.append(self), run(self, until))[1])
    queues = message(profiles, each)
    forecast = forecast_package("one", queues, per_day, [NOON] * per_day, NOON, STEPS_OF_ANSWER)
    simulation, *lifted = simulations
    assert simulation.looks <= LOOKS_OF_A_STEP * STEPS_OF_ANSWER
    assert max(each.looks for each in lifted) <= LOOKS_OF_A_STEP * STEPS_OF_LIFTED
    assert forecast.counted_until is not None
    assert hours(forecast) == pytest.approx(24 * profiles * each / per_day, rel=0.1)
    assert sum(sum(hour.values()) for hour in forecast.curve.values()) == profiles * each


def test_recipients_that_are_used_in_turn_do_not_hold_each_other_up() -> None:
    """Red before: the limit of 2 messages a day for each recipient held the deliveries beyond twice the sample."""
    sample = [f"2010000000{number:02}" for number in range(20)]
    alone, sampled = (forecast_package("one", message(4, 100, names), None, [], NOON) for names in ((), sample))
    assert sampled == alone


def test_an_immediate_message_is_complete_before_the_queue_that_it_overtakes() -> None:
    """Red before: its completion was that of the whole queue."""
    added = share(0, 1, 5, options=OpenOptions(waiting_strategy="immediate"))
    assert added[0].rank == IMMEDIATE
    queue = QueueSnapshot("p", rules(), [], [], [QueuePart(80, ORDINARY, False, NOON)], added)
    assert hours(forecast_package("one", [queue], None, [], NOON)) < 2


def test_a_share_is_what_the_schedule_gives_to_each_delivery() -> None:
    drip = OpenOptions(waiting_strategy="drip", drip_interval_minutes=5)
    recipients = ("201000000001", "201000000002", "201000000003")
    part = share(1, 4, 10, recipients, drip)
    assert [delivery.delivery_id for delivery in part[2:4]] == ["added/p1/9", "added/p1/13"]
    assert [delivery.not_before - NOON for delivery in part[:2]] == [timedelta(minutes=5), timedelta(minutes=25)]
    assert part[-1].recipient == recipients[37 % 3]
    assert (len(part), len(part[3:]), list(part[3:]) == list(part)[3:]) == (10, 7, True)


@pytest.mark.parametrize("gap", [timedelta(0), timedelta(seconds=7), HOUR, timedelta(hours=31)])
def test_extrapolated_releases_are_counted_by_hour_without_counting_each(gap: timedelta) -> None:
    first = NOON + timedelta(minutes=59, seconds=59)
    one_by_one: dict[datetime, int] = {}
    for number in range(2_000):
        hour = (first + gap * number).replace(minute=0, second=0, microsecond=0)
        one_by_one[hour] = one_by_one.get(hour, 0) + 1
    assert even_curve(first, gap, 2_000, NOON + timedelta(days=4_000)) == one_by_one
