"""Signs: what closes a lane, for how long, and that it is told."""

from datetime import UTC, datetime, timedelta

import pytest

from spreader.events import DeliveryOutcome, FailureClass, Lane, LaneState
from stats.core.signs import Sign, lane_state, signs
from stats.core.standing import standings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def refused(failure: FailureClass, lane: Lane = "open", minutes: int = 0, reason: str = "463") -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="one", message_id="msg_1", delivery_id=f"dlv_{minutes}", recipient="201000000001", lane=lane,
        status="deferred", at=NOON + timedelta(minutes=minutes), profile_id="a", failure=failure, reason=reason,
    )  # fmt: skip


@pytest.mark.parametrize("failure", ["transient", "throttled", "recipient", "content", "gateway", "ambiguous"])
def test_what_is_not_about_the_account_is_no_sign(failure: FailureClass) -> None:
    assert signs([refused(failure)]) == []


def test_the_newest_sign_of_each_lane_counts() -> None:
    found = signs([refused("profile", minutes=5, reason="ban"), refused("profile"), refused("profile", "reply")])
    assert found == [
        Sign("a", "open", NOON + timedelta(minutes=5), "ban"),
        Sign("a", "reply", NOON, "463"),
    ]


def test_a_lane_is_closed_for_its_time_and_opens_by_itself_and_the_other_lane_goes_on() -> None:
    sign = Sign("a", "open", NOON, "463")
    until = NOON + timedelta(hours=6)
    assert lane_state(sign, until - timedelta(seconds=1)) == LaneState(state="blocked", until=until, cause="463")
    assert lane_state(sign, until) == LaneState()
    (state,) = standings({"a": "one"}, {}, {("a", "open"): sign}, NOON)
    assert (state.open.state, state.reply.state) == ("blocked", "ok")
