"""Course: what is done about a failure, by lane: how often to try, how long to wait, and then? `RULES` is the policy.

Durations are of the machine's time: they wait for real gateways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from random import Random
from typing import Literal

from spreader.contract.events import Lane

Failure = Literal[
    "transient", "throttled", "pair", "session", "restricted", "profile", "account", "credentials",
    "recipient", "capped", "opted_out", "window", "content", "template", "gateway",
]  # fmt: skip
"""Why a delivery was surely not sent: `spreader.events.FailureClass` without the ambiguous one."""


class Then(Enum):
    ELSEWHERE = "another profile, then fail"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Course:
    """So many tries on one profile, the waits between them growing from `first` to `longest`; and then?"""

    tries_max: int
    then: Then
    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(minutes=15)
    spread: tuple[float, float] = (0.5, 1.0)
    """Each wait is drawn between these shares of it; from 1 on where the gateway named the least."""


Courses = Mapping[Lane, Course]

BACK_OFF_FACTOR = 4
AT_LEAST = (1.0, 1.25)
DAY = timedelta(days=1)


def at_once(then: Then) -> Courses:
    """No second try on this profile."""
    return {"open": Course(1, then), "reply": Course(1, then)}


def after(first: timedelta, longest: timedelta, tries_max: int, then: Then = Then.FAIL) -> Courses:
    """So many tries in both lanes, never sooner than the gateway asks."""
    course = Course(tries_max, then, first, longest, AT_LEAST)
    return {"open": course, "reply": course}


def _reply(then: Then, tries_max: int = 5) -> Course:
    return Course(tries_max, then, timedelta(seconds=0.5), timedelta(minutes=1))


_SESSION_WAIT = timedelta(seconds=30)

RULES: Mapping[Failure, Courses] = {
    "transient": {"open": Course(4, Then.ELSEWHERE), "reply": _reply(Then.FAIL)},
    "throttled": {"open": Course(8, Then.FAIL), "reply": _reply(Then.FAIL)},
    # Another profile would write to the same customer out of turn: only patience helps.
    "pair": {
        "open": Course(5, Then.FAIL, timedelta(seconds=6), timedelta(minutes=30), AT_LEAST),
        "reply": Course(5, Then.FAIL, timedelta(seconds=1), timedelta(minutes=5), AT_LEAST),
    },
    "session": {
        "open": Course(4, Then.ELSEWHERE, _SESSION_WAIT, _SESSION_WAIT, AT_LEAST),
        "reply": Course(4, Then.FAIL, _SESSION_WAIT, _SESSION_WAIT, AT_LEAST),
    },
    # New chats are what WhatsApp stops, and every try makes it worse; old chats mostly go on.
    "restricted": {"open": Course(1, Then.ELSEWHERE), "reply": _reply(Then.FAIL)},
    "profile": at_once(Then.ELSEWHERE),
    "account": at_once(Then.ELSEWHERE),
    "credentials": at_once(Then.ELSEWHERE),
    "recipient": at_once(Then.FAIL),
    "capped": {"open": Course(2, Then.FAIL, DAY, DAY, AT_LEAST), "reply": Course(1, Then.FAIL)},
    "opted_out": at_once(Then.FAIL),
    "window": at_once(Then.FAIL),
    "content": at_once(Then.FAIL),
    "template": at_once(Then.FAIL),
    "gateway": {"open": Course(6, Then.ELSEWHERE), "reply": _reply(Then.FAIL)},
}
"""What holds for a class of failures; a gateway's own code may ask for another course (`sender.core.failure_table`)."""


def back_off(course: Course, tries: int, rng: Random) -> timedelta:
    """The wait after so many tries: growing, bounded, and a little different for each."""
    longest = course.longest / course.first
    return course.first * min(float(BACK_OFF_FACTOR ** (tries - 1)), longest) * rng.uniform(*course.spread)
