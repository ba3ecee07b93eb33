"""Retry policy: for each failure class and lane, how often to try, how long to wait, and what happens then.

Durations are wall time, because the gateways are real.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from random import Random
from typing import Literal

from spreader.contract.events import Lane

RefusalClass = Literal[
    "transient",
    "throttled",
    "pair",
    "session",
    "restricted",
    "profile",
    "account",
    "credentials",
    "recipient",
    "capped",
    "opted_out",
    "window",
    "content",
    "template",
    "gateway",
]
"""Why a delivery was certainly not sent: `spreader.contract.events.FailureClass` without `ambiguous`."""


class AfterRetries(Enum):
    """What happens after the last try on a profile."""

    OTHER_PROFILE = "another profile, then fail"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `tries_max` tries on one profile. The wait between them grows from `first_wait` to `longest_wait`."""

    tries_max: int
    then: AfterRetries
    first_wait: timedelta = timedelta(seconds=2)
    longest_wait: timedelta = timedelta(minutes=15)
    jitter: tuple[float, float] = (0.5, 1.0)
    """Each wait is multiplied by a random factor in this range. The range begins at 1 if the gateway sets a minimum
    wait."""


LanePolicies = Mapping[Lane, RetryPolicy]

BACK_OFF_FACTOR = 4
NEVER_EARLIER = (1.0, 1.25)
"""A jitter that only lengthens the wait."""
DAY = timedelta(days=1)
REPLY_TRIES_MAX = 90
"""The waits grow to 7 s at least, so a reply expires (after 10 minutes) before it has had this number of tries."""


def no_retry(then: AfterRetries) -> LanePolicies:
    """One try on this profile, in both lanes."""
    return {"open": RetryPolicy(1, then), "reply": RetryPolicy(1, then)}


def in_both_lanes(
    first_wait: timedelta, longest_wait: timedelta, tries_max: int, then: AfterRetries = AfterRetries.FAIL
) -> LanePolicies:
    """The same policy in both lanes. No wait is shorter than `first_wait`."""
    policy = RetryPolicy(tries_max, then, first_wait, longest_wait, NEVER_EARLIER)
    return {"open": policy, "reply": policy}


def _reply(then: AfterRetries, tries_max: int = 5) -> RetryPolicy:
    return RetryPolicy(tries_max, then, timedelta(seconds=0.5), timedelta(minutes=1))


_OTHER, _FAIL = AfterRetries.OTHER_PROFILE, AfterRetries.FAIL
_SESSION_WAIT = timedelta(seconds=30)

POLICIES: Mapping[RefusalClass, LanePolicies] = {
    "transient": {"open": RetryPolicy(4, _OTHER), "reply": _reply(_FAIL)},
    "throttled": {"open": RetryPolicy(8, _FAIL), "reply": _reply(_FAIL)},
    # Meta limits how often one profile writes to one recipient. So the delivery waits for this profile, because another
    # profile must not join the conversation.
    "pair": {
        "open": RetryPolicy(5, _FAIL, timedelta(seconds=6), timedelta(minutes=30), NEVER_EARLIER),
        "reply": RetryPolicy(5, _FAIL, timedelta(seconds=1), timedelta(minutes=5), NEVER_EARLIER),
    },
    "session": {
        "open": RetryPolicy(4, _OTHER, _SESSION_WAIT, _SESSION_WAIT, NEVER_EARLIER),
        "reply": RetryPolicy(4, _FAIL, _SESSION_WAIT, _SESSION_WAIT, NEVER_EARLIER),
    },
    # WhatsApp lets the profile open no chats, and every further try makes the restriction worse. Existing chats mostly
    # still work.
    "restricted": {"open": RetryPolicy(1, _OTHER), "reply": _reply(_FAIL)},
    "profile": no_retry(_OTHER),
    "account": no_retry(_OTHER),
    "credentials": no_retry(_OTHER),
    "recipient": no_retry(_FAIL),
    "capped": {"open": RetryPolicy(2, _FAIL, DAY, DAY, NEVER_EARLIER), "reply": RetryPolicy(1, _FAIL)},
    "opted_out": no_retry(_FAIL),
    "window": no_retry(_FAIL),
    "content": no_retry(_FAIL),
    "template": no_retry(_FAIL),
    # No other profile can answer a customer. So a reply waits for its gateway until it expires.
    "gateway": {
        "open": RetryPolicy(6, _OTHER),
        "reply": RetryPolicy(REPLY_TRIES_MAX, _FAIL, timedelta(seconds=0.5), timedelta(seconds=15)),
    },
}
"""The policy of each failure class. A single gateway code may override it (`sender.core.failure_table`)."""


def back_off(policy: RetryPolicy, tries: int, rng: Random) -> timedelta:
    """The wait after try number `tries`: `min(first_wait * 4^(tries - 1), longest_wait)`, times the jitter."""
    growth_max = policy.longest_wait / policy.first_wait
    return policy.first_wait * min(float(BACK_OFF_FACTOR ** (tries - 1)), growth_max) * rng.uniform(*policy.jitter)
