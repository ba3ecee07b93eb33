"""Policy: which bound holds a release, and the law that no rolling window is ever exceeded."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer.core.forecast.message_share import ADDED_PREFIX
from pacer.core.forecast.package_forecast import PackageForecast, forecast_package
from pacer.core.forecast.queue_snapshot import QueuePart, QueueSnapshot
from pacer.core.hours import Hours
from pacer.core.limits import rolling_limits, scaled_limits
from pacer.core.policy import Facts, HeldDelivery, Margins, Release, Rules, Wait, decide
from pacer.core.release_pass import Due, in_order, run_pass
from pacer.core.schedule import IMMEDIATE, ORDINARY, schedule_slot
from pacer.core.simulation import SimulatedProfile, Simulation
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits, QuietHours, RestWindow
from spreader.contract.events import OpenOptions

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
REST = Hours(RestWindow(start=time(1), hours=4), "UTC")
DELIVERY = HeldDelivery("dlv_1", ORDINARY, NOON - HOUR)
SLACK = timedelta(seconds=0.08 * 600 / 2)
"""The slack of a base gap of 600 s at position 0.5."""
MORNING = datetime(2026, 2, 11, 5, tzinfo=UTC)
START_DELAY = timedelta(seconds=600 / 2)
"""The start delay at position 0.5."""
IDLE = Facts(last_release=None, full_until={}, sent_last_2_hours=0, waiting=1, position=0.5, at_gateway=0)


def rules(
    limits: ProfileLimits | None = None, hours: Hours = REST, stopped: Bound | None = None, margin: timedelta = MINUTE
) -> Rules:
    return Rules(limits or ProfileLimits(), hours, Gap(), 0.4, Margins(2 * margin, margin), 10, stopped)


def facts(**given: object) -> Facts:
    values: dict[str, object] = {name: getattr(IDLE, name) for name in Facts.__slots__}
    return Facts(**{**values, **given})  # pyright: ignore[reportArgumentType]


def test_an_idle_profile_releases_at_once_until_its_rest_is_near() -> None:
    decision = decide(rules(), IDLE, DELIVERY, NOON)
    assert isinstance(decision, Release)
    assert decision.send_by == datetime(2026, 2, 11, 0, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("bound", "known", "held", "until"),
    [
        (Bound.GAP, facts(last_release=NOON, waiting=1), DELIVERY, NOON + timedelta(seconds=282)),
        (Bound.HOUR_LIMIT, facts(full_until={Bound.HOUR_LIMIT: NOON + HOUR}), DELIVERY, NOON + HOUR + SLACK),
        (Bound.HOUR_LIMIT, facts(full_until={Bound.HOUR_LIMIT: NOON - SLACK / 2}), DELIVERY, NOON + SLACK / 2),
        (
            Bound.DAY_LIMIT,
            facts(full_until={Bound.HOUR_LIMIT: NOON + HOUR, Bound.DAY_LIMIT: NOON + 3 * HOUR}),
            DELIVERY,
            NOON + 3 * HOUR + SLACK,
        ),
        (
            Bound.PACKAGE_DAY_LIMIT,
            facts(package_full_until={Bound.PACKAGE_DAY_LIMIT: NOON + HOUR}),
            DELIVERY,
            NOON + HOUR,
        ),
        (Bound.HOUR_LIMIT, facts(full_until={Bound.HOUR_LIMIT: None}), DELIVERY, None),
        (Bound.CONCURRENT_SENDS, facts(at_gateway=10), DELIVERY, None),
        (Bound.DELIVERY, IDLE, HeldDelivery("dlv_1", ORDINARY, NOON + 2 * HOUR), NOON + 2 * HOUR),
        (Bound.REST_WINDOW, IDLE, HeldDelivery("dlv_1", ORDINARY, NOON + 14 * HOUR), MORNING + START_DELAY),
        (Bound.REST_WINDOW, IDLE, HeldDelivery("dlv_1", ORDINARY, MORNING + START_DELAY / 2), MORNING + START_DELAY),
        (Bound.REST_WINDOW, IDLE, HeldDelivery("dlv_1", IMMEDIATE, NOON + 14 * HOUR), MORNING),
    ],
)
def test_the_latest_bound_binds_and_is_named(
    bound: Bound, known: Facts, held: HeldDelivery, until: datetime | None
) -> None:
    decision = decide(rules(), known, held, NOON)
    assert isinstance(decision, Wait)
    assert (decision.bound, decision.until) == (bound, until)


def test_the_start_delay_applies_once_a_day() -> None:
    """Fails if the start delay also holds the second release of a day."""
    early = HeldDelivery("dlv_1", ORDINARY, MORNING)
    first = decide(rules(), facts(last_release=NOON), early, MORNING + START_DELAY)
    assert isinstance(first, Release)
    second = decide(
        rules(), facts(last_release=MORNING, position=0.9, sent_last_2_hours=1), early, MORNING + 2 * MINUTE
    )
    assert isinstance(second, Wait)
    assert (second.bound, set(second.bounds)) == (Bound.GAP, {Bound.GAP})


def test_a_stopped_profile_waits_and_says_why() -> None:
    decision = decide(rules(stopped=Bound.PROFILE_PAUSED), IDLE, DELIVERY, NOON)
    assert isinstance(decision, Wait)
    assert (decision.bound, decision.until) == (Bound.PROFILE_PAUSED, None)


@pytest.mark.parametrize(("zone", "bound"), [("Africa/Cairo", Bound.QUIET_HOURS), ("America/New_York", None)])
def test_an_unknown_recipient_has_the_quiet_hours_of_the_profiles_zone(zone: str, bound: str | None) -> None:
    """Deliveries ahead in a forecast have no number. 20:00 UTC is 22:00 in Cairo and afternoon in New York."""
    evening = NOON + 8 * HOUR
    quiet = replace(rules(hours=Hours(None, zone)), quiet=QuietHours(start=time(21), hours=12))
    decision = decide(quiet, IDLE, DELIVERY, evening)
    assert (decision.bound if isinstance(decision, Wait) else None) == bound


def test_an_immediate_delivery_takes_the_smallest_gap_and_keeps_the_limits() -> None:
    quick = HeldDelivery("dlv_1", IMMEDIATE, NOON)
    after_gap = decide(rules(), facts(last_release=NOON), quick, NOON)
    assert isinstance(after_gap, Wait)
    assert after_gap.until == NOON + timedelta(seconds=0.6 * 282)
    at_limit = decide(rules(), facts(full_until={Bound.HOUR_LIMIT: NOON + HOUR}), quick, NOON)
    assert isinstance(at_limit, Wait)
    assert (at_limit.bound, at_limit.until) == (Bound.HOUR_LIMIT, NOON + HOUR)


def test_nothing_goes_shortly_before_a_rest() -> None:
    almost = datetime(2026, 2, 11, 0, 58, tzinfo=UTC)
    assert isinstance(decide(rules(), IDLE, DELIVERY, almost - timedelta(seconds=1)), Release)
    assert isinstance(decide(rules(), IDLE, DELIVERY, almost), Wait)


def test_a_pass_never_exceeds_the_packages_concurrent_sends() -> None:
    heads = [replace(DELIVERY, recipient=f"20100000000{number}") for number in range(5)]
    dues = [Due(f"p{number}", "one", rules(), IDLE, (head,)) for number, head in enumerate(heads)]
    results = run_pass(dues, {"one": 8}, NOON)
    assert [isinstance(each.decision, Release) for each in results] == [True, True, False, False, False]
    assert all(each.awaits_answer for each in results[2:])


def test_an_immediate_head_goes_first_and_a_scheduled_one_blocks_no_other() -> None:
    later = HeldDelivery("later", IMMEDIATE, NOON + HOUR)
    now, quick = HeldDelivery("now", ORDINARY, NOON), HeldDelivery("quick", IMMEDIATE, NOON)
    assert in_order([now, quick], NOON) == [quick, now]
    assert in_order([later, now], NOON) == [now, later]
    sooner = HeldDelivery("sooner", ORDINARY, NOON + MINUTE)
    assert in_order([later, sooner], NOON) == [sooner, later]


@pytest.mark.parametrize(
    ("options", "rank", "minutes"),
    [
        (OpenOptions(), ORDINARY, 0),
        (OpenOptions(waiting_strategy="immediate"), IMMEDIATE, 0),
        (OpenOptions(waiting_strategy="scheduled", schedule_at=NOON + HOUR), ORDINARY, 60),
        (OpenOptions(waiting_strategy="scheduled", schedule_at=NOON - HOUR), ORDINARY, 0),
        (OpenOptions(waiting_strategy="drip", drip_interval_minutes=5), ORDINARY, 15),
        (OpenOptions(waiting_strategy="drip", drip_interval_minutes=5, schedule_at=NOON + HOUR), ORDINARY, 75),
    ],
)
def test_a_waiting_strategy_places_the_fourth_delivery(options: OpenOptions, rank: int, minutes: int) -> None:
    placed = schedule_slot(options, NOON, 3, 10, "201001234567")
    assert (placed.rank, placed.not_before) == (rank, NOON + minutes * MINUTE)


def test_the_factor_leaves_at_least_one_release() -> None:
    assert scaled_limits(ProfileLimits(per_hour=5, per_3_hours=50, per_day=120), 0.1).model_dump(
        include={"per_hour", "per_3_hours", "per_day"}
    ) == {"per_hour": 1, "per_3_hours": 5, "per_day": 12}


small_limits = st.builds(
    ProfileLimits, per_hour=st.integers(1, 4), per_3_hours=st.integers(1, 6), per_day=st.integers(1, 12)
)


@given(small_limits, st.integers(1, 40), st.booleans())
def test_no_rolling_window_ever_holds_more_than_its_limit(limits: ProfileLimits, deliveries: int, rests: bool) -> None:
    """Fails with a limit one too large, with a window too short, and with a limit left out of the bounds."""
    profile = SimulatedProfile("p1", rules(limits, REST if rests else Hours(None, "UTC")))
    profile.queue.add(HeldDelivery(f"dlv_{number}", ORDINARY, NOON) for number in range(deliveries))
    simulation = Simulation("one", [profile], NOON)
    simulation.wake()
    released = [release.at for release in simulation.run(NOON + timedelta(days=400))]
    assert len(released) == deliveries
    assert released == sorted(released)
    for limit in rolling_limits(limits):
        for earlier, later in zip(released, released[limit.releases_max :], strict=False):
            assert later - earlier >= limit.window
    if rests:
        assert all(REST.next_active(moment) == moment for moment in released)


def forecast(added: int, ahead: int = 0, stopped: Bound | None = None) -> PackageForecast:
    heads = [HeldDelivery(f"{ADDED_PREFIX}{number}", ORDINARY, NOON) for number in range(added)]
    waiting = [QueuePart(ahead, ORDINARY, False, NOON)] if ahead else []
    return forecast_package(
        "one", [QueueSnapshot("p1", rules(stopped=stopped), [], [], waiting, heads)], None, [], NOON
    )


def test_the_forecast_of_a_short_queue_is_a_complete_simulation() -> None:
    end = forecast(3).completion
    assert end is not None
    assert timedelta(minutes=4) < end - NOON < timedelta(minutes=12)
    assert forecast(1, stopped=Bound.PROFILE_PAUSED).completion is None


def test_the_forecast_counts_deliveries_ahead_and_extrapolates_beyond_its_steps() -> None:
    alone, behind, long = (each.completion for each in (forecast(250), forecast(250, ahead=250), forecast(3_000)))
    assert alone is not None
    assert behind is not None
    assert long is not None
    assert timedelta(days=2) < alone - NOON < timedelta(days=4)
    assert timedelta(days=4) < behind - NOON < timedelta(days=7)
    assert timedelta(days=25) < long - NOON < timedelta(days=40)


def test_the_curve_of_a_forecast_has_exactly_the_forecast_deliveries() -> None:
    for each, count in ((forecast(250, ahead=250), 250), (forecast(3_000), 3_000), (forecast(0, ahead=70), 70)):
        assert sum(sum(profiles.values()) for profiles in each.curve.values()) == count


@pytest.mark.parametrize(("profiles", "each"), [(1, 60), (4, 3), (4, 5), (4, 10), (4, 110), (16, 20)])
def test_the_forecast_is_the_average_of_random_simulations(profiles: int, each: int) -> None:
    """Fails with even gaps: several profiles would end together, a few per cent too early."""
    names = [f"p{place}" for place in range(profiles)]
    heads = [HeldDelivery(f"{ADDED_PREFIX}{number}", ORDINARY, NOON) for number in range(each)]
    awake, draws = rules(hours=Hours(None, "UTC")), max(6_000 // (profiles * each), 40)

    def taken(seed: int) -> float:
        chance = Random(seed)
        simulated = [SimulatedProfile(name, awake) for name in names]
        for profile in simulated:
            profile.queue.add(heads)
        simulation = Simulation("one", simulated, NOON, draw_position=chance.random)
        simulation.wake()
        return (max(release.at for release in simulation.run(NOON + timedelta(days=9))) - NOON).total_seconds()

    end = forecast_package(
        "one", [QueueSnapshot(name, awake, [], [], [], heads) for name in names], None, [], NOON
    ).completion
    assert end is not None
    assert (end - NOON).total_seconds() == pytest.approx(fmean(map(taken, range(draws))), rel=0.01)
