"""Evaluation on a real Postgres: stories of profiles, from outcomes to published states and alerts."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import Alert, CustomerMessage, DeliveryOutcome, ProfileState, Restriction, Status
from stats.testing import StatsHarness, customer_message, outcome, package, profile, report

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SAME_HOLDER = ("one", "two", "three")


@pytest.fixture
def harness(engine: AsyncEngine) -> StatsHarness:
    profiles = [
        profile("sales", "waha"),
        profile("idle"),
        *(profile(each, "cloud_api", "token") for each in SAME_HOLDER),
    ]
    return StatsHarness(engine, NOON, package("shop", *profiles))


async def send(
    harness: StatsHarness, first: int, count: int, *, delivered: int, answered: int = 0, to: int | None = None
) -> None:
    """Send `count` messages now to the customers from `to` on. The first ones are delivered and answered."""
    now, start = harness.clock(), first if to is None else to
    events: list[DeliveryOutcome | CustomerMessage] = []
    for index in range(count):
        number, customer, at = first + index, f"2010{start + index:08}", now + index * SECOND
        reached: tuple[Status, ...] = ("sent", "acknowledged", "delivered")
        statuses = reached if index < delivered else reached[:2]
        fields = {"recipient": customer, "message_id": f"msg_{number}"}
        events += [outcome(number, status, at, **fields) for status in statuses]
        if index < answered:
            events.append(customer_message(start + index, at + SECOND))
    await harness.receive(*events)


def score(state: ProfileState) -> int:
    assert state.health is not None
    return state.health.score


async def test_three_messages_are_too_few_to_lower_a_new_profiles_health(harness: StatsHarness) -> None:
    assert score(await harness.state("sales")) == 97
    await send(harness, 0, 3, delivered=0)
    harness.clock.forward(2 * HOUR)
    state = await harness.state("sales")
    assert (score(state), state.open.state, state.limit_factor, harness.alerts) == (88, "ok", 1.0, [])
    assert state.health is not None
    assert state.health.reasons[0].evidence.startswith("0 of 3 sent over an hour ago were delivered")


async def test_a_slowly_blocked_profile_is_limited_then_paused_and_resumes_at_half_its_limits(
    harness: StatsHarness,
) -> None:
    """No gateway reports it: fewer and fewer messages are delivered, and customers stop answering."""
    for day in range(5):
        await send(harness, 100 * day, 30, delivered=29, answered=9)
        harness.clock.forward(DAY)
        assert (await harness.state("sales")).open.state == "ok"
    well = score(await harness.state("sales"))
    story: list[tuple[int, str, float]] = []
    for step in range(6):
        await send(harness, 1000 + 100 * step, 15, delivered=1, to=0)
        harness.clock.forward(4 * HOUR)
        state = await harness.state("sales")
        story.append((score(state), state.open.state, state.limit_factor))
    assert well >= 95
    assert story[0][1:] == ("limited", 0.5)
    assert [each[1] for each in story][-1] == "blocked"
    scores = [each[0] for each in story]
    assert scores == sorted(scores, reverse=True)
    state = harness.published["sales"]
    assert (state.open.kind, state.reply.state) == ("health", "ok")
    assert "delivered" in (state.open.cause or "") or "block signals" in (state.open.cause or "")
    kinds = [kind for kind, _ in harness.alerts]
    assert {"delivered_share", "undelivered_run"} <= set(kinds)
    assert [kind for kind, state in harness.alerts if state == "raised"][-1] == "health_paused"

    paused_at = harness.clock()
    while harness.published["sales"].open.state == "blocked":
        harness.clock.forward(HOUR)
        await harness.state("sales")
    state = harness.published["sales"]
    assert harness.clock() - paused_at >= 2 * HOUR
    assert (state.open.state, score(state) >= 55, state.limit_factor <= 0.5) == ("limited", True, True)
    harness.clock.forward(HOUR)  # the alert is cleared when its cause has been gone for half an hour
    await harness.state("sales")
    assert ("health_paused", "cleared") in harness.alerts


async def test_a_ban_closes_both_lanes_for_one_and_a_half_times_its_length_and_clean_days_restore_the_limits(
    harness: StatsHarness,
) -> None:
    until = NOON + 24 * HOUR
    await harness.receive(
        outcome(1, "deferred", NOON, failure="account", code="402", until=until, reason="banned, 104")
    )
    state = await harness.state("sales")
    assert (state.open.state, state.reply.state, state.limit_factor) == ("blocked", "blocked", 0.5)
    assert state.open.until == NOON + 36 * HOUR
    assert harness.alerts == [("account", "raised")]
    seen: list[tuple[int, str, float]] = []
    for day in range(1, 9):
        harness.clock.moment = NOON + day * DAY
        state = await harness.state("sales")
        seen.append((day, state.reply.state, state.limit_factor))
    assert [each[1] for each in seen] == ["blocked"] + ["ok"] * 7
    assert seen[-1][2] == 1.0
    assert [each[2] for each in seen] == sorted(each[2] for each in seen)
    assert harness.alerts == [("account", "raised"), ("account", "cleared")]


async def test_a_new_kafka_gets_the_states_of_all_profiles_also_unchanged_ones(harness: StatsHarness) -> None:
    """Else a closed lane would count as open there."""
    clusters = ["first", "first", "second", "second"]
    harness.publisher.cluster_id = lambda: clusters[0]
    await harness.receive(outcome(1, "deferred", NOON, "one", failure="credentials", code="190", reason="expired"))
    await harness.evaluate()
    counts: list[int] = []
    while clusters:
        counts.append(len(await harness.publish()))
        clusters.pop(0)
    everything = len(harness.config.package_of_profile())
    assert counts == [everything, 0, everything, 0]
    assert harness.published["one"].open.state == "blocked"


async def test_a_refused_token_closes_all_profiles_of_its_holder_until_it_works_for_one(harness: StatsHarness) -> None:
    await harness.receive(
        outcome(1, "deferred", NOON, "one", failure="credentials", code="190", reason="token expired")
    )
    await harness.evaluate()
    changed = {state.profile_id: state for state in await harness.publish()}
    closed = {name for name, state in changed.items() if state.open.state == state.reply.state == "blocked"}
    assert closed == set(SAME_HOLDER)
    assert changed["two"].open.cause == "190: token expired (said of one, which has the same holder)"
    await harness.receive(report(NOON + HOUR, "three", session="working"))
    harness.clock.forward(2 * HOUR)
    assert all([(await harness.state(name)).open.state == "ok" for name in SAME_HOLDER])
    raised = {alert.profile_id for alert in harness.bus.of(Alert) if alert.state == "raised"}
    assert raised == set(SAME_HOLDER)


async def test_a_reported_quality_lowers_the_limits_or_pauses_the_open_lane(harness: StatsHarness) -> None:
    story: list[tuple[str, float, int]] = []
    for minute, quality in enumerate(("yellow", "red", "green")):
        await harness.receive(report(NOON + minute * MINUTE, quality=quality))
        state = await harness.state("sales")
        story.append((state.open.state, state.limit_factor, score(state)))
    assert story == [("limited", 0.5, 60), ("blocked", 0.5, 30), ("blocked", 1.0, 97)]
    harness.clock.forward(6 * HOUR)
    state = await harness.state("sales")
    assert (state.open.state, state.limit_factor, state.quality) == ("limited", 0.5, "green")


async def test_a_lifted_restriction_opens_the_lane_and_an_older_report_changes_nothing(
    harness: StatsHarness,
) -> None:
    shut = Restriction(lanes=("open",), failure="restricted", until=NOON + 7 * DAY)
    longer = report(NOON + MINUTE / 2, restriction=shut.model_copy(update={"until": NOON + 9 * DAY}))
    await harness.receive(report(NOON, restriction=shut), longer)
    assert (await harness.state("sales")).open.until == NOON + 9 * DAY
    await harness.receive(report(NOON - MINUTE, restriction=Restriction(lanes=(), failure="restricted")))
    assert (await harness.state("sales")).open.state == "blocked"
    await harness.receive(report(NOON + MINUTE, restriction=Restriction(lanes=(), failure="restricted")))
    harness.clock.forward(HOUR)
    assert (await harness.state("sales")).open.state == "limited"
    await harness.receive(longer)  # a replay
    assert (await harness.state("sales")).open.state == "limited"


async def make_older(harness: StatsHarness, minutes: int) -> None:
    """Make every sent message this many minutes old in wall time, which no test can wait for."""
    async with harness.engine.begin() as connection:
        await connection.execute(
            text("UPDATE stats.delivery SET heard_at = now() - CAST(:ago AS interval)"), {"ago": minutes * MINUTE}
        )


async def test_a_working_session_without_acknowledgements_closes_the_open_lane_only(
    harness: StatsHarness,
) -> None:
    await harness.receive(report(NOON, session="working"))
    await harness.receive(*(outcome(number, "sent", NOON + number * SECOND) for number in range(5)))
    assert (await harness.state("sales")).open.state == "ok"
    await make_older(harness, 3)
    harness.clock.forward(6 * MINUTE)
    state = await harness.state("sales")
    assert (state.open.state, state.open.kind, state.reply.state) == ("blocked", "stuck", "ok")
    assert {kind for kind, _ in harness.alerts} >= {"stuck", "silent"}
    assert "nothing was heard of its last 5 sends" in str([alert.evidence for alert in harness.bus.of(Alert)])


async def test_few_stuck_messages_among_many_acknowledged_or_of_a_simulator_are_not_a_sign(
    harness: StatsHarness,
) -> None:
    for name in ("sales", "idle"):
        await harness.receive(*(outcome(number, "sent", NOON + number * SECOND, name) for number in range(12)))
    await harness.receive(*(outcome(number, "acknowledged", NOON + MINUTE) for number in range(12) if number % 6))
    await make_older(harness, 3)
    harness.clock.forward(6 * MINUTE)
    assert ((await harness.state("sales")).open.state, harness.published["idle"].open.state) == ("ok", "ok")
    await make_older(harness, 1)
    assert harness.alerts == []


async def test_shortly_after_a_start_a_missing_acknowledgement_is_not_a_sign(harness: StatsHarness) -> None:
    harness.evaluator.can_detect_stuck = lambda: False
    await harness.receive(*(outcome(number, "sent", NOON + number * SECOND) for number in range(9)))
    await make_older(harness, 3)
    harness.clock.forward(6 * MINUTE)
    assert (await harness.state("sales")).open.state == "ok"


async def test_no_profile_is_evaluated_while_receipts_may_be_unread(harness: StatsHarness) -> None:
    await send(harness, 0, 10, delivered=0)
    harness.clock.forward(2 * HOUR)
    harness.evaluator.is_behind = lambda: True
    assert await harness.evaluator.turn() > 0
    assert harness.alerts == []
    harness.evaluator.is_behind = lambda: False
    assert (await harness.state("sales")).limit_factor == 0.5
