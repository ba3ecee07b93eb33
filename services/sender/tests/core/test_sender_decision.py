"""Decisions and claim results: every class of answer in both lanes as tables, and laws for what never happens."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sender.core.claim_result import RetryLater, SettledClaim, claim_result
from sender.core.decision import (
    DOUBT_TRIES_MAX,
    LOOKUP_WAIT,
    PROFILES_MAX,
    TOO_LATE,
    AskGateway,
    AttemptState,
    Decision,
    Defer,
    Expire,
    Fail,
    MarkSent,
    MarkUnknown,
    RetryHere,
    ReturnToRouter,
    SendNow,
    attempt_state,
    decide,
    decide_in_doubt,
    too_late,
)
from sender.core.gateway_answer import (
    LookupFailed,
    LookupResult,
    LookupUnsupported,
    MessageFound,
    MessageNotFound,
    SendAccepted,
    SendInDoubt,
    SendRefused,
)
from sender.core.retry_policy import POLICIES, back_off
from sender.testing import NOON, released, reply
from spreader.contract.events import DeliveryOutcome, DeliveryReturned, Lane, ReplySettled

MINUTE = timedelta(minutes=1)
failures = st.sampled_from(sorted(POLICIES))
states = st.builds(
    AttemptState,
    lane=st.sampled_from(["open", "reply"]),
    tries=st.integers(1, 9),
    profiles=st.integers(1, PROFILES_MAX),
    time_left=st.none() | st.timedeltas(timedelta(0), timedelta(hours=1)),
    doubtful=st.booleans(),
)


def kind(failure: str, lane: Lane, tries: int = 1, profiles: int = 1) -> type[Decision]:
    refused = SendRefused(failure, "no")  # pyright: ignore[reportArgumentType] - the table names them in words
    return type(decide(refused, AttemptState(lane, tries, profiles), Random(1)))


@pytest.mark.parametrize(
    ("failure", "lane", "first", "when_tries_end", "when_profiles_end"),
    [
        ("transient", "open", Defer, ReturnToRouter, Fail),
        ("transient", "reply", RetryHere, Fail, Fail),
        ("throttled", "open", Defer, Fail, Fail),
        ("throttled", "reply", RetryHere, Fail, Fail),
        ("gateway", "open", Defer, ReturnToRouter, Fail),
        ("gateway", "reply", RetryHere, Fail, Fail),
        ("profile", "open", ReturnToRouter, ReturnToRouter, Fail),
        ("profile", "reply", ReturnToRouter, ReturnToRouter, Fail),
        ("recipient", "open", Fail, Fail, Fail),
        ("recipient", "reply", Fail, Fail, Fail),
        ("content", "open", Fail, Fail, Fail),
        ("content", "reply", Fail, Fail, Fail),
    ],
)
def test_each_failure_class_has_its_decision(
    failure: str, lane: Lane, first: type[Decision], when_tries_end: type[Decision], when_profiles_end: type[Decision]
) -> None:
    assert kind(failure, lane) is first
    assert kind(failure, lane, tries=99) is when_tries_end
    assert kind(failure, lane, tries=99, profiles=PROFILES_MAX) is when_profiles_end


def test_a_reply_is_tried_five_times_and_then_fails() -> None:
    assert [kind("transient", "reply", tries) for tries in range(1, 7)] == [RetryHere] * 4 + [Fail] * 2


def test_an_accepted_delivery_is_sent() -> None:
    assert decide(SendAccepted("wamid"), AttemptState("open", 1, 1), Random(1)) == MarkSent("wamid")


def test_a_retry_waits_at_least_as_long_as_retry_after() -> None:
    refused = SendRefused("throttled", "slow down", retry_after=MINUTE)
    assert decide(refused, AttemptState("reply", 1, 1, time_left=2 * MINUTE), Random(1)) == RetryHere(MINUTE)


def test_a_delivery_that_would_expire_before_the_next_try_expires_now() -> None:
    refused = SendRefused("throttled", "slow down", retry_after=MINUTE)
    assert isinstance(decide(refused, AttemptState("reply", 1, 1, time_left=MINUTE), Random(1)), Expire)


@pytest.mark.parametrize(
    ("lookup", "lane", "decision"),
    [
        (MessageFound("wamid"), "open", MarkSent("wamid")),
        (MessageFound("wamid"), "reply", MarkSent("wamid")),
        (MessageNotFound(), "open", SendNow(doubtful=False)),
        (MessageNotFound(), "reply", SendNow(doubtful=False)),
        (LookupUnsupported("no record"), "open", MarkUnknown("no record")),
        (LookupUnsupported("no record"), "reply", SendNow(doubtful=True)),
        (LookupFailed("away"), "open", AskGateway(LOOKUP_WAIT["open"])),
        (LookupFailed("away"), "reply", AskGateway(LOOKUP_WAIT["reply"])),
    ],
)
def test_a_delivery_in_doubt_is_decided_by_the_lookup(lookup: LookupResult, lane: Lane, decision: object) -> None:
    assert decide_in_doubt(lookup, AttemptState(lane, 1, 1, doubtful=True)) == decision


def test_after_too_many_failed_lookups_the_delivery_is_unknown() -> None:
    assert decide_in_doubt(
        LookupFailed("away"), AttemptState("open", DOUBT_TRIES_MAX, 1, doubtful=True)
    ) == MarkUnknown("away")


@given(failures, states)
def test_a_delivery_that_may_have_arrived_never_changes_profile_or_fails(failure: str, state: AttemptState) -> None:
    decision = decide(SendRefused(failure, "no"), state, Random(1))  # pyright: ignore[reportArgumentType]
    assert not state.doubtful or isinstance(decision, AskGateway | MarkUnknown)


@given(states)
def test_a_time_out_never_goes_to_another_profile(state: AttemptState) -> None:
    assert isinstance(decide(SendInDoubt("time-out"), state, Random(1)), AskGateway | MarkUnknown)


@given(failures, states)
def test_the_open_lane_never_retries_inside_the_sender(failure: str, state: AttemptState) -> None:
    decision = decide(SendRefused(failure, "no"), state, Random(1))  # pyright: ignore[reportArgumentType]
    assert state.lane == "reply" or not isinstance(decision, RetryHere)


@given(failures, st.integers(1, 40), st.integers())
def test_waits_grow_within_bounds(failure: str, tries: int, seed: int) -> None:
    for policy in POLICIES[failure].values():  # pyright: ignore[reportArgumentType]
        wait = back_off(policy, tries, Random(seed))
        least, most = policy.jitter
        assert policy.first_wait * least <= wait <= policy.longest_wait * most
        assert back_off(policy, tries + 4, Random(seed)) >= wait


def test_a_release_is_not_begun_after_its_send_by() -> None:
    delivery = released()
    assert too_late(delivery, delivery.send_by - timedelta(microseconds=1)) is None
    assert too_late(delivery, delivery.send_by) == Defer(timedelta(0), TOO_LATE)


def test_a_reply_expires() -> None:
    delivery = reply()
    assert too_late(delivery, delivery.expires_at - timedelta(microseconds=1)) is None
    assert isinstance(too_late(delivery, delivery.expires_at), Expire)


def test_the_time_left_is_wall_time() -> None:
    assert attempt_state(reply(), 1, NOON, speed=600, doubtful=False).time_left == timedelta(seconds=1)


def test_a_sent_reply_has_a_callback_and_an_outcome() -> None:
    settled = claim_result(MarkSent("wamid"), reply(), NOON, 1)
    assert isinstance(settled, SettledClaim)
    callback, outcome = settled.events
    assert isinstance(callback, ReplySettled)
    assert (callback.status, callback.callback_partition) == ("sent", 3)
    assert isinstance(outcome, DeliveryOutcome)
    assert (outcome.status, outcome.gateway_message_id, outcome.release) == ("sent", "wamid", None)


def test_a_deferred_release_says_when_it_may_go_by_the_systems_clock() -> None:
    settled = claim_result(Defer(MINUTE, "busy", "transient"), released(attempt=2, release=7), NOON, 600)
    assert isinstance(settled, SettledClaim)
    (outcome,) = settled.events
    assert isinstance(outcome, DeliveryOutcome)
    assert (outcome.attempt, outcome.release, outcome.status) == (2, 7, "deferred")
    assert outcome.not_before == NOON + 600 * MINUTE


def test_a_returned_release_also_frees_its_place_at_the_gateway() -> None:
    settled = claim_result(ReturnToRouter("blocked", "profile"), released(release=7), NOON, 1)
    assert isinstance(settled, SettledClaim)
    returned, outcome = settled.events
    assert isinstance(returned, DeliveryReturned)
    assert returned.tried == ("p1",)
    assert isinstance(outcome, DeliveryOutcome)
    assert (outcome.status, outcome.not_before, outcome.release) == ("deferred", None, 7)


def test_a_returned_reply_keeps_its_expiry_and_its_caller() -> None:
    settled = claim_result(ReturnToRouter("blocked", "profile"), reply(), NOON, 1)
    assert isinstance(settled, SettledClaim)
    returned, outcome = settled.events
    assert isinstance(returned, DeliveryReturned)
    assert (returned.expires_at, returned.callback_partition) == (reply().expires_at, 3)
    assert isinstance(outcome, DeliveryOutcome)  # the stats close the profile's lanes by it
    assert (outcome.lane, outcome.status, outcome.failure, outcome.profile_id) == ("reply", "deferred", "profile", "p1")


def test_a_retry_publishes_no_event() -> None:
    assert claim_result(RetryHere(MINUTE), reply(), NOON, 1) == RetryLater(MINUTE)


@pytest.mark.parametrize(
    "decision",
    [
        MarkSent("w"),
        Defer(MINUTE, "x"),
        ReturnToRouter("x", "profile"),
        Fail("x", "content"),
        MarkUnknown("x"),
        Expire("x"),
    ],
)
def test_every_settled_release_ends_in_an_outcome(decision: Decision) -> None:
    settled = claim_result(decision, released(release=7), NOON, 1)
    assert isinstance(settled, SettledClaim)
    outcomes = [event for event in settled.events if isinstance(event, DeliveryOutcome)]
    assert [(outcome.release, outcome.at) for outcome in outcomes] == [(7, NOON)]
