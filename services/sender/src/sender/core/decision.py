"""Decision: decides what happens to a delivery after the gateway's answer, by the policies of
`sender.core.retry_policy`.

Durations are wall time, because the gateways are real.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import assert_never

from sender.core.delivery import Delivery, expires_at, lane_of, profiles_used
from sender.core.gateway_answer import (
    GatewayAnswer,
    LookupFailed,
    LookupResult,
    LookupUnsupported,
    MessageFound,
    MessageNotFound,
    SendAccepted,
    SendInDoubt,
    SendRefused,
)
from sender.core.retry_policy import POLICIES, AfterRetries, RefusalClass, back_off
from spreader.contract.events import DeliveryReleased, Lane

PROFILES_MAX = 3
"""After failures on this many profiles, a delivery is not tried on another."""
DOUBT_TRIES_MAX = 12
"""After this many tries, a delivery that is still in doubt ends as unknown."""
LOOKUP_WAIT: Mapping[Lane, timedelta] = {
    # An open delivery must never be sent twice, so the gateway gets time to finish a request that is still in progress.
    "open": timedelta(seconds=15),
    "reply": timedelta(seconds=1),
}
"""The time from a send in doubt to the lookup at the gateway."""
RECEIPT_WAIT: Mapping[Lane, timedelta] = {"open": timedelta(seconds=30), "reply": timedelta(seconds=5)}
"""The time from a send in doubt to the next decision, if the gateway has no lookup. The gateway's receipt may arrive in
this time."""
TOO_LATE = "too late: the time by which to send has passed"
CANCELLED = "cancelled by the caller"
CANCELLED_BY_ERASURE = "the recipient was erased"
ERASED_IN_DOUBT = "it may have been sent, and is not sent again, because the recipient was erased"
NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class MarkSent:
    gateway_message_id: str | None


@dataclass(frozen=True, slots=True)
class RetryHere:
    """The sender tries the delivery again on the same profile."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class AskGateway:
    """The delivery may have been sent. Its next claim asks the gateway first."""

    after: timedelta
    last_try_not_sent: bool = False
    """Whether the last try certainly sent nothing. Then the doubt is about an earlier try."""


@dataclass(frozen=True, slots=True)
class Defer:
    """The delivery goes back to the pacer, which releases it again for the same profile."""

    after: timedelta
    reason: str
    failure: RefusalClass | None = None
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReturnToRouter:
    """The delivery goes back to the router, which assigns another profile."""

    reason: str
    failure: RefusalClass
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    reason: str
    failure: RefusalClass
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class MarkUnknown:
    """The sender cannot find out whether the delivery was sent, so it does not send it again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Expire:
    reason: str
    failure: RefusalClass | None = None
    code: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppress:
    """The recipient's consent forbids the message."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """The caller cancelled the message before the call, or the recipient was erased."""

    reason: str = CANCELLED


@dataclass(frozen=True, slots=True)
class SendNow:
    """Send the delivery in this claim. `doubtful`: an earlier try may have arrived, so the customer may get the message
    twice."""

    doubtful: bool


Decision = MarkSent | RetryHere | AskGateway | Defer | ReturnToRouter | Fail | MarkUnknown | Expire | Suppress | Cancel


@dataclass(frozen=True, slots=True)
class AttemptState:
    """What a decision needs to know about a delivery when the answer arrives."""

    lane: Lane
    tries: int
    """The number of tries on this profile, the current try included."""
    profiles: int
    """The number of profiles in all attempts, the current profile included."""
    time_left: timedelta | None = None
    """Wall time until the delivery expires; None if it never expires."""
    doubtful: bool = False
    """Whether an earlier try may have reached the customer."""
    resent: bool = False
    """Whether the delivery was sent again while it was in doubt, so that two tries may have reached the customer."""


def attempt_state(
    delivery: Delivery, tries: int, now: datetime, speed: float, doubtful: bool, resent: bool = False
) -> AttemptState:
    """`speed`: how many times faster than wall time the system's clock runs."""
    expiry = expires_at(delivery)
    time_left = None if expiry is None else (expiry - now) / speed
    return AttemptState(lane_of(delivery), tries, len(profiles_used(delivery)), time_left, doubtful, resent)


def too_late(delivery: Delivery, now: datetime) -> Defer | Expire | None:
    """What to do instead of the send, if it is too late to send; None if it is not too late."""
    expiry = expires_at(delivery)
    if expiry is not None and now >= expiry:
        return Expire("it expired before it could be sent")
    if isinstance(delivery, DeliveryReleased) and now >= delivery.send_by:
        return Defer(NO_TIME, TOO_LATE)
    return None


def decide(answer: GatewayAnswer, state: AttemptState, rng: Random) -> Decision:
    """What to do with a delivery after the gateway's answer to a send."""
    match answer:
        case SendAccepted(gateway_message_id):
            return MarkSent(gateway_message_id)
        case SendInDoubt(reason, can_ask):
            return _wait_in_doubt(reason, LOOKUP_WAIT if can_ask else RECEIPT_WAIT, state)
        case SendRefused():
            decision = _refused(answer, state, rng)
            return with_doubt(decision) if state.doubtful else decision
        case _:
            assert_never(answer)


def decide_in_doubt(lookup: LookupResult, state: AttemptState) -> MarkSent | SendNow | AskGateway | MarkUnknown:
    """What to do with a delivery that may have been sent, after the gateway was asked about it."""
    match lookup:
        case MessageFound(gateway_message_id):
            return MarkSent(gateway_message_id)
        case MessageNotFound():
            return SendNow(doubtful=False)
        case LookupFailed(reason) if state.tries < DOUBT_TRIES_MAX:
            return AskGateway(LOOKUP_WAIT[state.lane])
        case LookupFailed(reason) | LookupUnsupported(reason):
            # A customer waits for a reply, so it may arrive twice, but never a third time.
            if state.lane == "reply" and not state.resent:
                return SendNow(doubtful=True)
            return MarkUnknown(reason)
        case _:
            assert_never(lookup)


def with_doubt(decision: Decision) -> Decision:
    """The decision for a delivery that an earlier try may have sent. Such a delivery never goes to another profile and
    never counts as failed."""
    match decision:
        case RetryHere(after):
            return AskGateway(after, last_try_not_sent=True)
        case ReturnToRouter(reason) | Fail(reason) | Expire(reason) | Defer(reason=reason):
            return MarkUnknown(f"an earlier try may have arrived; the last one: {reason}")
        case _:
            return decision


def _wait_in_doubt(reason: str, wait: Mapping[Lane, timedelta], state: AttemptState) -> AskGateway | MarkUnknown:
    return AskGateway(wait[state.lane]) if state.tries < DOUBT_TRIES_MAX else MarkUnknown(reason)


def _refused(refused: SendRefused, state: AttemptState, rng: Random) -> Decision:
    policy = (refused.policies or POLICIES[refused.failure])[state.lane]
    if state.tries < policy.tries_max:
        return _retry(refused, state, back_off(policy, state.tries, rng))
    if policy.then is AfterRetries.OTHER_PROFILE and state.profiles < PROFILES_MAX:
        return ReturnToRouter(refused.detail, refused.failure, refused.code, refused.until)
    return Fail(refused.detail, refused.failure, refused.code, refused.until)


def _retry(refused: SendRefused, state: AttemptState, wait: timedelta) -> RetryHere | Defer | Expire:
    """The sender retries replies itself. Open deliveries go back to the pacer, because each of their tries needs a new
    release."""
    after = max(wait, refused.retry_after or NO_TIME)
    if state.time_left is not None and after >= state.time_left:
        reason = f"it would expire before the next try: {refused.detail}"
        return Expire(reason, refused.failure, refused.code, refused.until)
    if state.lane == "reply":
        return RetryHere(after)
    return Defer(after, refused.detail, refused.failure, refused.code, refused.until)
