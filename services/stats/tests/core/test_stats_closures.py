"""Closures: what closes a lane and for how long, and what opens it again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spreader.contract.events import DeliveryOutcome, FailureClass, Lane, LaneState, ProfileReported, Quota, Restriction
from stats.core.closures import (
    CLOSURE_RULES,
    Closure,
    Closures,
    Sign,
    close_lanes,
    lane_state,
    lift_closures,
    signs_and_lifts,
    signs_from_outcomes,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NO_END = None


def refused(
    failure: FailureClass,
    at: datetime = NOON,
    lane: Lane = "open",
    code: str | None = None,
    until: datetime | None = None,
) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="shop", message_id="msg_1", delivery_id="dlv_1", recipient="201000000001", lane=lane,
        status="deferred", at=at, profile_id="sales", failure=failure, reason="no", code=code, until=until,
    )  # fmt: skip


def report(at: datetime = NOON, **fields: Any) -> ProfileReported:
    return ProfileReported(
        profile_id="sales", package_id="shop", report_id="1", evidence="it fields so", at=at, **fields
    )


class ProfileClosures:
    """The closures of one profile, updated event by event."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, Lane, str], Closure] = {}

    def add(self, *events: DeliveryOutcome | ProfileReported) -> "ProfileClosures":
        for each in events:
            closing, lifts = (
                (signs_from_outcomes([each]), []) if isinstance(each, DeliveryOutcome) else signs_and_lifts(each)
            )
            for sign in closing:
                self._take(close_lanes(sign, self.known))
            for one in lifts:
                self._take(lift_closures(one, self.known))
        return self

    def _take(self, changed: list[Closure]) -> None:
        self.known.update({each.key: each for each in changed})

    def lasts(self, lane: Lane = "open", at: datetime = NOON) -> timedelta | str | None:
        """How long the lane stays closed."""
        state = lane_state(self.known.values(), lane, at)
        if state.state == "ok":
            return "ok"
        assert state.since is not None
        return None if state.until is None else state.until - state.since


@pytest.mark.parametrize(
    ("failure", "code", "until", "open_lane", "reply_lane"),
    [
        ("transient", None, None, "ok", "ok"),
        ("throttled", "130429", None, "ok", "ok"),
        ("pair", "131056", None, "ok", "ok"),
        ("session", None, None, "ok", "ok"),
        ("recipient", "131026", None, "ok", "ok"),
        ("capped", "131049", None, "ok", "ok"),
        ("opted_out", "131050", None, "ok", "ok"),
        ("window", "131047", None, "ok", "ok"),
        ("content", "131051", None, "ok", "ok"),
        ("template", "132001", None, "ok", "ok"),
        ("gateway", None, None, "ok", "ok"),
        ("ambiguous", None, None, "ok", "ok"),
        ("restricted", "131048", None, DAY, "ok"),
        ("restricted", "463", None, MINUTE, "ok"),
        ("restricted", "463", NOON + 3 * HOUR, 3 * HOUR, "ok"),
        ("profile", None, None, 6 * HOUR, "ok"),
        ("account", "131031", None, NO_END, NO_END),
        ("account", "402", NOON + 2 * HOUR, 3 * HOUR, 3 * HOUR),
        ("account", "368", NOON + 2 * HOUR, 2 * HOUR, 2 * HOUR),
        ("credentials", "190", None, NO_END, NO_END),
    ],
)
def test_what_each_failure_class_closes_and_for_how_long(
    failure: FailureClass, code: str, until: datetime | None, open_lane: Any, reply_lane: Any
) -> None:
    profile = ProfileClosures().add(refused(failure, code=code, until=until))
    assert (profile.lasts("open"), profile.lasts("reply")) == (open_lane, reply_lane)


def test_a_refusal_of_the_profile_closes_only_the_lane_of_its_delivery() -> None:
    profile = ProfileClosures().add(refused("profile", lane="reply"))
    assert (profile.lasts("open"), profile.lasts("reply")) == ("ok", 10 * MINUTE)


@pytest.mark.parametrize(
    ("fields", "open_lane", "reply_lane"),
    [
        ({"session": "working"}, "ok", "ok"),
        ({"session": "starting"}, "ok", "ok"),
        ({"session": "unlinked"}, NO_END, NO_END),
        ({"session": "failed"}, NO_END, NO_END),
        ({"session": "stopped"}, NO_END, NO_END),
        ({"quality": "red"}, "ok", "ok"),
        ({"restriction": Restriction(lanes=("open",), failure="restricted", until=NOON + DAY)}, DAY, "ok"),
        ({"restriction": Restriction(lanes=("open", "reply"), failure="account")}, NO_END, NO_END),
        ({"restriction": Restriction(lanes=("open",), failure="account")}, NO_END, "ok"),
        ({"quota": Quota(total=100, used=90, warning="second")}, "ok", "ok"),
        ({"quota": Quota(total=100, used=100, warning="capped", resets_at=NOON + 9 * DAY)}, 9 * DAY, "ok"),
        ({"quota": Quota(total=100, used=100, warning="capped")}, DAY, "ok"),
    ],
)
def test_what_each_report_closes(fields: dict[str, Any], open_lane: Any, reply_lane: Any) -> None:
    profile = ProfileClosures().add(report(**fields))
    assert (profile.lasts("open"), profile.lasts("reply")) == (open_lane, reply_lane)


@pytest.mark.parametrize(
    ("code", "ladder"),
    [("131048", [DAY, 2 * DAY, 4 * DAY, 7 * DAY, 7 * DAY]), ("463", [MINUTE, DAY, 7 * DAY, 7 * DAY])],
)
def test_each_restriction_soon_after_the_last_one_lasts_longer(code: str, ladder: list[timedelta]) -> None:
    profile, at, story = ProfileClosures(), NOON, list[Any]()
    for _ in ladder:
        lasts = profile.add(refused("restricted", at, code=code)).lasts(at=at)
        assert isinstance(lasts, timedelta)
        story.append(lasts)
        at += lasts + HOUR
    assert story == ladder


def test_a_restriction_after_a_week_without_one_counts_as_the_first() -> None:
    profile = ProfileClosures().add(refused("restricted"), refused("restricted", NOON + DAY + 8 * DAY))
    assert profile.lasts(at=NOON + 9 * DAY) == DAY


def test_refusals_during_a_closure_belong_to_it_in_any_order() -> None:
    profile = ProfileClosures().add(
        refused("restricted"), refused("restricted", NOON + MINUTE), refused("restricted", NOON)
    )
    assert profile.lasts() == DAY
    longer = refused("restricted", NOON + 2 * MINUTE, until=NOON + 3 * DAY)
    shorter = refused("restricted", NOON + 3 * MINUTE, until=NOON + HOUR)
    assert profile.add(longer, shorter).lasts() == 3 * DAY


def test_a_lane_opens_at_the_end_of_its_closures_and_shows_the_longest_one() -> None:
    profile = ProfileClosures().add(refused("restricted", code="131048"), refused("profile"))
    closures = profile.known.values()
    until = NOON + DAY
    assert lane_state(closures, "open", until - SECOND) == LaneState(
        state="blocked", until=until, cause="131048: no", kind="restricted", since=NOON
    )
    assert lane_state(closures, "open", until) == LaneState()


FREE = Restriction(lanes=(), failure="restricted")


@pytest.mark.parametrize(
    ("closing", "lifting", "is_open"),
    [
        (report(session="unlinked"), {"session": "working"}, True),
        (report(session="unlinked"), {"session": "starting"}, False),
        (refused("credentials"), {"session": "working"}, True),
        (refused("account"), {"session": "working"}, True),
        (refused("account", code="402", until=NOON + DAY), {"session": "working"}, False),
        (refused("account", code="402", until=NOON + DAY), {"restriction": FREE}, True),
        (refused("restricted"), {"session": "working"}, False),
        (refused("restricted"), {"restriction": FREE}, True),
        (refused("profile"), {"restriction": FREE}, True),
        (report(quota=Quota(total=9, used=9, warning="capped")), {"quota": Quota(total=9, used=0)}, True),
    ],
)
def test_which_reports_open_a_lane_again(
    closing: DeliveryOutcome | ProfileReported, lifting: dict[str, Any], is_open: bool
) -> None:
    profile = ProfileClosures().add(closing)
    assert profile.lasts() != "ok"
    profile.add(report(NOON + MINUTE, **lifting))
    assert (profile.lasts(at=NOON + 2 * MINUTE) == "ok") is is_open


def test_a_report_from_before_a_closure_does_not_open_the_lane() -> None:
    profile = ProfileClosures().add(refused("credentials"), report(NOON - MINUTE, session="working"))
    assert profile.lasts() is NO_END
    again = ProfileClosures().add(
        refused("credentials"), report(NOON + MINUTE, session="working"), refused("credentials")
    )
    assert again.lasts(at=NOON + 2 * MINUTE) == "ok"


def test_evidence_from_before_a_lift_that_is_read_again_leaves_the_lane_open() -> None:
    """Red before: the end that the gateway had reported closed the lane again."""
    signs = (refused("restricted"), refused("restricted", NOON + MINUTE, until=NOON + 3 * DAY))
    profile = ProfileClosures().add(*signs)
    assert profile.lasts() == 3 * DAY
    profile.add(report(NOON + HOUR, restriction=FREE))
    assert profile.add(*signs).lasts(at=NOON + 2 * HOUR) == "ok"
    assert profile.add(refused("restricted", NOON + 2 * HOUR)).lasts(at=NOON + 3 * HOUR) == 2 * DAY


def test_every_closure_rule_has_an_end_or_can_be_lifted() -> None:
    known: Closures = {}
    for kind, course in CLOSURE_RULES.items():
        closed = close_lanes(Sign("sales", kind, ("open", "reply"), NOON, "no"), known)
        assert {each.lane for each in closed} == set(course.ladders)
