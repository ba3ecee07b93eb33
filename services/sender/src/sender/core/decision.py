"""Settle: what happens to a delivery after the gateway's answer, by the courses of `sender.core.retry_policy`.

Durations are of the machine's time: they wait for real gateways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import assert_never

from sender.core.delivery import Delivery, expires_at, lane_of, profiles_used
from sender.core.gateway_answer import (
    Accepted,
    Answer,
    CannotTell,
    Finding,
    Found,
    InDoubt,
    NotFound,
    Refused,
    Unreachable,
)
from sender.core.retry_policy import RULES, Failure, Then, back_off
from spreader.contract.events import DeliveryReleased, Lane

PROFILES_MAX = 3
DOUBT_TRIES_MAX = 12
DOUBT_WAIT: Mapping[Lane, timedelta] = {
    # An open delivery is never sent twice: the gateway gets time to finish what it may still be doing.
    "open": timedelta(seconds=15),
    "reply": timedelta(seconds=1),
}
ECHO_WAIT: Mapping[Lane, timedelta] = {"open": timedelta(seconds=30), "reply": timedelta(seconds=5)}
"""The same for a gateway that cannot be asked: so long it gets to report by itself what it sent."""
TOO_LATE = "too late: the rest window began"
NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Sent:
    gateway_message_id: str | None


@dataclass(frozen=True, slots=True)
class RetryHere:
    """The sender tries it again, on the same profile."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class AskAgain:
    """It may have been sent: whoever takes it next asks the gateway first."""

    after: timedelta
    not_this_time: bool = False
    """The last call surely sent nothing: the doubt is about an earlier one."""


@dataclass(frozen=True, slots=True)
class Defer:
    """Back to the pacer, which lets it go again on the same profile."""

    after: timedelta
    reason: str
    failure: Failure | None = None
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReturnElsewhere:
    """Back to the router, which chooses another profile."""

    reason: str
    failure: Failure
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    reason: str
    failure: Failure
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell whether it was sent: it is not sent again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Expire:
    reason: str
    failure: Failure | None = None
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppress:
    """The recipient must not be written to."""

    reason: str


@dataclass(frozen=True, slots=True)
class SendAgain:
    """It is to be sent now. `doubtful`: perhaps for the second time."""

    doubtful: bool


Decision = Sent | RetryHere | AskAgain | Defer | ReturnElsewhere | Fail | Unknown | Expire | Suppress


@dataclass(frozen=True, slots=True)
class Standing:
    """How a delivery stands when the answer comes."""

    lane: Lane
    tries: int
    """On this profile, the present one included."""
    profiles: int
    """That had it, the present one included."""
    left: timedelta | None = None
    """Of the machine's time, until it expires."""
    doubtful: bool = False
    """An earlier try may have reached the customer."""
    resent: bool = False
    """And so may one that was made in that doubt."""


def standing(
    delivery: Delivery, tries: int, now: datetime, speed: float, doubtful: bool, resent: bool = False
) -> Standing:
    expiry = expires_at(delivery)
    left = None if expiry is None else (expiry - now) / speed
    return Standing(lane_of(delivery), tries, len(profiles_used(delivery)), left, doubtful, resent)


def too_late(delivery: Delivery, now: datetime) -> Defer | Expire | None:
    """Why the call must not begin any more; None when it may."""
    expiry = expires_at(delivery)
    if expiry is not None and now >= expiry:
        return Expire("it expired before it could be sent")
    if isinstance(delivery, DeliveryReleased) and now >= delivery.send_by:
        return Defer(NO_TIME, TOO_LATE)
    return None


def settle(answer: Answer, at: Standing, rng: Random) -> Decision:
    match answer:
        case Accepted(gateway_message_id):
            return Sent(gateway_message_id)
        case InDoubt(reason, can_ask):
            return _doubt(reason, DOUBT_WAIT if can_ask else ECHO_WAIT, at)
        case Refused():
            decision = _refused(answer, at, rng)
            return with_doubt(decision) if at.doubtful else decision
        case _:
            assert_never(answer)


def resolve(finding: Finding, at: Standing) -> Sent | SendAgain | AskAgain | Unknown:
    """What to do with a delivery that may have been sent, after the gateway was asked."""
    match finding:
        case Found(gateway_message_id):
            return Sent(gateway_message_id)
        case NotFound():
            return SendAgain(doubtful=False)
        case Unreachable(reason) if at.tries < DOUBT_TRIES_MAX:
            return AskAgain(DOUBT_WAIT[at.lane])
        case Unreachable(reason) | CannotTell(reason):
            # A customer who waits may get a reply twice, and never a third time.
            return SendAgain(doubtful=True) if at.lane == "reply" and not at.resent else Unknown(reason)
        case _:
            assert_never(finding)


def _doubt(reason: str, wait: Mapping[Lane, timedelta], at: Standing) -> AskAgain | Unknown:
    return AskAgain(wait[at.lane]) if at.tries < DOUBT_TRIES_MAX else Unknown(reason)


def _refused(refused: Refused, at: Standing, rng: Random) -> Decision:
    course = (refused.courses or RULES[refused.failure])[at.lane]
    if at.tries < course.tries_max:
        return _later(refused, at, back_off(course, at.tries, rng))
    if course.then is Then.ELSEWHERE and at.profiles < PROFILES_MAX:
        return ReturnElsewhere(refused.detail, refused.failure, refused.code, refused.until)
    return Fail(refused.detail, refused.failure, refused.code, refused.until)


def _later(refused: Refused, at: Standing, wait: timedelta) -> RetryHere | Defer | Expire:
    after = max(wait, refused.retry_after or NO_TIME)
    if at.left is not None and after >= at.left:
        reason = f"it would expire before the next try: {refused.detail}"
        return Expire(reason, refused.failure, refused.code, refused.until)
    if at.lane == "reply":
        return RetryHere(after)
    return Defer(after, refused.detail, refused.failure, refused.code, refused.until)


def with_doubt(decision: Decision) -> Decision:
    """A delivery that may have reached the customer never goes to another profile, and never counts as failed."""
    match decision:
        case RetryHere(after):
            return AskAgain(after, not_this_time=True)
        case ReturnElsewhere(reason) | Fail(reason) | Expire(reason) | Defer(reason=reason):
            return Unknown(f"an earlier try may have arrived; the last one: {reason}")
        case _:
            return decision
