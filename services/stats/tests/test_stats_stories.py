"""Stories of profiles on a real Postgres: what each outcome leads to, until the state that everybody reads."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import Alert, CustomerMessage, DeliveryOutcome, ProfileState, Restriction, Status
from stats.testing import StatsHarness, customer_message, outcome, package, profile, report

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FRIENDS = ("one", "two", "three")


@pytest.fixture
def harness(engine: AsyncEngine) -> StatsHarness:
    profiles = [profile("sales", "waha"), profile("idle"), *(profile(each, "cloud_api", "token") for each in FRIENDS)]
    return StatsHarness(engine, NOON, package("shop", *profiles))


async def sends(
    harness: StatsHarness, first: int, count: int, *, delivered: int, answered: int = 0, to: int | None = None
) -> None:
    """Sends now, the first of which are delivered and answered; the first goes to the customer `to`, and so on."""
    now, start = harness.clock(), first if to is None else to
    told: list[DeliveryOutcome | CustomerMessage] = []
    for place in range(count):
        number, customer, moment = first + place, f"2010{start + place:08}", now + place * SECOND
        reached: tuple[Status, ...] = ("sent", "acknowledged", "delivered")
        statuses = reached if place < delivered else reached[:2]
        named = {"recipient": customer, "message_id": f"msg_{number}"}
        told += [outcome(number, status, moment, **named) for status in statuses]
        if place < answered:
            told.append(customer_message(start + place, moment + SECOND))
    await harness.receive(*told)


def score(state: ProfileState) -> int:
    assert state.health is not None
    return state.health.score


async def test_a_new_profile_with_three_messages_is_not_judged_by_them(harness: StatsHarness) -> None:
    assert score(await harness.state("sales")) == 97
    await sends(harness, 0, 3, delivered=0)
    harness.clock.forward(2 * HOUR)
    state = await harness.state("sales")
    assert (score(state), state.open.state, state.limit_factor, harness.alerts) == (88, "ok", 1.0, [])
    assert state.health is not None
    assert state.health.reasons[0].evidence.startswith("0 of 3 sent over an hour ago were delivered")


async def test_a_profile_that_gets_blocked_slowly_is_lowered_then_paused_and_comes_back_at_half_its_limits(
    harness: StatsHarness,
) -> None:
    """Nobody says a word of it: its messages arrive less and less, and nobody answers any more."""
    for day in range(5):
        await sends(harness, 100 * day, 30, delivered=29, answered=9)
        harness.clock.forward(DAY)
        assert (await harness.state("sales")).open.state == "ok"
    well = score(await harness.state("sales"))
    story: list[tuple[int, str, float]] = []
    for step in range(6):
        await sends(harness, 1000 + 100 * step, 15, delivered=1, to=0)
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
    assert kinds[-1] == "health_paused"

    paused_at = harness.clock()
    while harness.published["sales"].open.state == "blocked":
        harness.clock.forward(HOUR)
        await harness.state("sales")
    state = harness.published["sales"]
    assert harness.clock() - paused_at >= 2 * HOUR
    assert (state.open.state, score(state) >= 55, state.limit_factor <= 0.5) == ("limited", True, True)
    assert ("health_paused", "cleared") in harness.alerts


async def test_a_ban_closes_both_lanes_for_half_as_long_again_and_days_without_signs_give_the_limits_back(
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


async def test_a_refused_token_closes_all_who_use_it_until_it_works_for_one_of_them(harness: StatsHarness) -> None:
    await harness.receive(
        outcome(1, "deferred", NOON, "one", failure="credentials", code="190", reason="token expired")
    )
    await harness.evaluate()
    news = {state.profile_id: state for state in await harness.publish()}
    closed = {name for name, state in news.items() if state.open.state == state.reply.state == "blocked"}
    assert closed == set(FRIENDS)
    assert news["two"].open.cause == "190: token expired (said of one, which has the same holder)"
    await harness.receive(report(NOON + HOUR, "three", session="working"))
    harness.clock.forward(2 * HOUR)
    assert all([(await harness.state(name)).open.state == "ok" for name in FRIENDS])
    raised = {alert.profile_id for alert in harness.bus.of(Alert) if alert.state == "raised"}
    assert raised == set(FRIENDS)


async def test_what_a_gateway_says_lowers_the_limits_or_pauses_open_chat(harness: StatsHarness) -> None:
    story: list[tuple[str, float, int]] = []
    for minute, quality in enumerate(("yellow", "red", "green")):
        await harness.receive(report(NOON + minute * MINUTE, quality=quality))
        state = await harness.state("sales")
        story.append((state.open.state, state.limit_factor, score(state)))
    assert story == [("limited", 0.5, 60), ("blocked", 0.5, 30), ("blocked", 1.0, 97)]
    harness.clock.forward(6 * HOUR)
    state = await harness.state("sales")
    assert (state.open.state, state.limit_factor, state.quality) == ("limited", 0.5, "green")


async def test_a_restriction_that_is_lifted_opens_the_lane_and_an_older_word_changes_nothing(
    harness: StatsHarness,
) -> None:
    shut = Restriction(lanes=("open",), failure="restricted", until=NOON + 7 * DAY)
    await harness.receive(report(NOON, restriction=shut))
    assert (await harness.state("sales")).open.until == NOON + 7 * DAY
    await harness.receive(report(NOON - MINUTE, restriction=Restriction(lanes=(), failure="restricted")))
    assert (await harness.state("sales")).open.state == "blocked"
    await harness.receive(report(NOON + MINUTE, restriction=Restriction(lanes=(), failure="restricted")))
    harness.clock.forward(HOUR)
    assert (await harness.state("sales")).open.state == "limited"


async def heard_ago(harness: StatsHarness, minutes: int) -> None:
    """As if everything that was sent had been heard of so long ago: real machines' time, which no test waits for."""
    async with harness.engine.begin() as connection:
        await connection.execute(
            text("UPDATE stats.delivery SET heard_at = now() - CAST(:ago AS interval)"), {"ago": minutes * MINUTE}
        )


async def test_a_session_that_says_it_works_and_acknowledges_nothing_opens_no_chats_and_goes_on_replying(
    harness: StatsHarness,
) -> None:
    await harness.receive(report(NOON, session="working"))
    await harness.receive(*(outcome(number, "sent", NOON + number * SECOND) for number in range(5)))
    assert (await harness.state("sales")).open.state == "ok"
    await heard_ago(harness, 3)
    harness.clock.forward(6 * MINUTE)
    state = await harness.state("sales")
    assert (state.open.state, state.open.kind, state.reply.state) == ("blocked", "stuck", "ok")
    assert {kind for kind, _ in harness.alerts} >= {"stuck", "silent"}
    assert "nothing was heard of its last 5 sends" in str([alert.evidence for alert in harness.bus.of(Alert)])


async def test_some_stuck_sends_among_many_acknowledged_are_no_sign_and_the_simulators_never_are(
    harness: StatsHarness,
) -> None:
    for name in ("sales", "idle"):
        await harness.receive(*(outcome(number, "sent", NOON + number * SECOND, name) for number in range(12)))
    await harness.receive(*(outcome(number, "acknowledged", NOON + MINUTE) for number in range(12) if number % 6))
    await heard_ago(harness, 3)
    harness.clock.forward(6 * MINUTE)
    assert ((await harness.state("sales")).open.state, harness.published["idle"].open.state) == ("ok", "ok")
    await heard_ago(harness, 1)
    assert harness.alerts == []


async def test_who_has_not_listened_for_long_takes_no_silence_for_a_sign(harness: StatsHarness) -> None:
    harness.evaluator.can_detect_stuck = lambda: False
    await harness.receive(*(outcome(number, "sent", NOON + number * SECOND) for number in range(9)))
    await heard_ago(harness, 3)
    harness.clock.forward(6 * MINUTE)
    assert (await harness.state("sales")).open.state == "ok"


async def test_nobody_is_judged_while_receipts_may_wait_unread(harness: StatsHarness) -> None:
    await sends(harness, 0, 10, delivered=0)
    harness.clock.forward(2 * HOUR)
    harness.evaluator.is_behind = lambda: True
    assert await harness.evaluator.turn() > 0
    assert harness.alerts == []
    harness.evaluator.is_behind = lambda: False
    assert (await harness.state("sales")).limit_factor == 0.5
