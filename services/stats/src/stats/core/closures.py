"""Closure: why a profile may not use a lane, and until when. `COURSES` is the whole policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from spreader.contract.events import DeliveryOutcome, Lane, LaneState, ProfileReported

LANES: tuple[Lane, ...] = get_args(Lane)
FORGIVEN_AFTER = timedelta(days=7)
"""So long after the end of a closure, the next of its kind is a first one again."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Ladder = tuple[timedelta | None, ...]
"""How long the first closure lasts, the second, …, the last and all after it. None: until it is said to work again."""


@dataclass(frozen=True, slots=True)
class Course:
    """What a kind of sign does to a profile. Lanes that are not named stay as they are."""

    ladders: Mapping[Lane, Ladder]
    of_holder: bool = False
    """It is about whoever holds the profile: all profiles with the same holder feel it."""


TILL_IT_WORKS: Mapping[Lane, Ladder] = {"open": (None,), "reply": (None,)}
COURSES: Mapping[str, Course] = {
    "restricted": Course({"open": (DAY, 2 * DAY, 4 * DAY, 7 * DAY)}),
    "profile": Course({"open": (6 * HOUR,), "reply": (timedelta(minutes=10),)}),
    "account": Course(TILL_IT_WORKS, of_holder=True),
    "credentials": Course(TILL_IT_WORKS, of_holder=True),
    "session": Course(TILL_IT_WORKS),
    "quota": Course({"open": (DAY,)}),
    "stuck": Course({"open": (HOUR, 6 * HOUR, DAY)}),
    "silent": Course({"open": (HOUR, 6 * HOUR, DAY)}),
    "cold_sends": Course({"open": (DAY, 2 * DAY, 4 * DAY, 7 * DAY)}),
}
"""`stuck`, `silent` and `cold_sends` are signs of our own (see `stats.core.soft`): old chats go on, so replies do."""

LADDERS_BY_CODE: Mapping[str, Ladder] = {"463": (timedelta(seconds=60), DAY, 7 * DAY)}
"""The time-lock of linked devices: WhatsApp does not say for how long, and asking again makes it longer."""

TEMPORARY_BANS = frozenset({"402", "101", "102", "103", "104", "106"})
BAN_STRETCH = 1.5
"""After a temporary ban a profile rests half as long again as WhatsApp says."""

CLOSING_FAILURES = frozenset({"restricted", "profile", "account", "credentials"})
CLOSING_SESSIONS = frozenset({"unlinked", "failed", "stopped"})
LIFTED_BY_WORK = frozenset({"session", "credentials"})
LIFTED_BY_FREEDOM = frozenset({"restricted", "profile", "account", "cold_sends"})
"""Kinds that end when the gateway says that the profile may do everything again."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that closes lanes of a profile."""

    profile_id: str
    kind: str
    lanes: tuple[Lane, ...]
    """Those that it is about; its course says which of them it closes."""
    at: datetime
    evidence: str
    until: datetime | None = None
    """As the gateway said; None: it did not."""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Lift:
    """Something that opens lanes of a profile again."""

    profile_id: str
    at: datetime
    kinds: frozenset[str]
    endless_only: bool = False
    """Closures with an end keep it."""
    lanes: tuple[Lane, ...] = LANES


@dataclass(frozen=True, slots=True)
class Closure:
    profile_id: str
    lane: Lane
    kind: str
    since: datetime
    until: datetime | None
    strikes: int
    """How many there have been of this kind, one soon after the other."""
    evidence: str

    def in_force(self, now: datetime) -> bool:
        return self.until is None or now < self.until

    @property
    def key(self) -> tuple[str, Lane, str]:
        return self.profile_id, self.lane, self.kind


Closures = Mapping[tuple[str, Lane, str], Closure]


def signs(outcomes: Iterable[DeliveryOutcome]) -> list[Sign]:
    """What gateways' refusals say about profiles; `profile` is about the lane in which it came."""
    found: list[Sign] = []
    for outcome in outcomes:
        failure = outcome.failure
        if outcome.profile_id is not None and failure is not None and failure in CLOSING_FAILURES:
            lanes = (outcome.lane,) if failure == "profile" else LANES
            words = _words(outcome.code, outcome.reason)
            found.append(Sign(outcome.profile_id, failure, lanes, outcome.at, words, outcome.until, outcome.code))
    return found


def heard(report: ProfileReported) -> tuple[list[Sign], list[Lift]]:
    """What a gateway's report closes and opens."""
    found: list[Sign] = []
    lifts: list[Lift] = []
    words = _words(report.code, report.evidence)
    if report.session in CLOSING_SESSIONS:
        found.append(Sign(report.profile_id, "session", LANES, report.at, words))
    if report.session == "working":
        lifts.append(Lift(report.profile_id, report.at, LIFTED_BY_WORK))
        lifts.append(Lift(report.profile_id, report.at, frozenset({"account"}), endless_only=True))
    if report.restriction is not None:
        if report.restriction.lanes:
            about, until = report.restriction.lanes, report.restriction.until
            found.append(
                Sign(report.profile_id, report.restriction.failure, about, report.at, words, until, report.code)
            )
        else:
            lifts.append(Lift(report.profile_id, report.at, LIFTED_BY_FREEDOM))
    if report.quota is not None:
        if report.quota.warning == "capped":
            found.append(Sign(report.profile_id, "quota", ("open",), report.at, words, report.quota.resets_at))
        else:
            lifts.append(Lift(report.profile_id, report.at, frozenset({"quota"})))
    return found, lifts


def close(sign: Sign, known: Closures) -> list[Closure]:
    """The closures of the sign's own profile that it makes or changes; `known`: what there is of them."""
    found: list[Closure] = []
    for lane in sign.lanes:
        ladder = COURSES[sign.kind].ladders.get(lane)
        if ladder is None:
            continue
        if sign.kind == "restricted":
            ladder = LADDERS_BY_CODE.get(sign.code or "", ladder)
        closure = _closed(sign, lane, ladder, known.get((sign.profile_id, lane, sign.kind)))
        if closure is not None:
            found.append(closure)
    return found


def lift(lifted: Lift, known: Closures) -> list[Closure]:
    """The closures that end by it."""
    return [
        replace(each, until=lifted.at)
        for each in known.values()
        if each.profile_id == lifted.profile_id and each.kind in lifted.kinds and each.lane in lifted.lanes
        and each.since < lifted.at and each.in_force(lifted.at)
        and (each.until is None or not lifted.endless_only)
    ]  # fmt: skip


def lane_state(closures: Iterable[Closure], lane: Lane, now: datetime) -> LaneState:
    """Of the closures in force, the one that ends last is the one to tell."""
    shut = [each for each in closures if each.lane == lane and each.in_force(now)]
    if not shut:
        return LaneState()
    longest = max(shut, key=lambda each: (each.until is None, each.until or each.since, each.kind))
    return LaneState(
        state="blocked", until=longest.until, cause=longest.evidence, kind=longest.kind, since=longest.since
    )


def _closed(sign: Sign, lane: Lane, ladder: Ladder, known: Closure | None) -> Closure | None:
    """None: nothing changes. While a closure is in force, further signs are of the same incident: it may get longer."""
    if known is not None and sign.at <= known.since:
        return None
    if known is not None and known.in_force(sign.at):
        said = _end(sign, None)
        if said is None or known.until is None or said <= known.until:
            return None
        return replace(known, until=said, evidence=sign.evidence)
    again = known is not None and known.until is not None and sign.at - known.until < FORGIVEN_AFTER
    strikes = known.strikes + 1 if known is not None and again else 1
    step = ladder[min(strikes, len(ladder)) - 1]
    until = _end(sign, None if step is None else sign.at + step)
    return Closure(sign.profile_id, lane, sign.kind, sign.at, until, strikes, sign.evidence)


def _end(sign: Sign, otherwise: datetime | None) -> datetime | None:
    if sign.until is None or sign.until <= sign.at:
        return otherwise
    stretch = BAN_STRETCH if sign.kind == "account" and sign.code in TEMPORARY_BANS else 1.0
    return sign.at + (sign.until - sign.at) * stretch


def _words(code: str | None, said: str | None) -> str:
    said = said or "the gateway refused because of the account"
    return said if code is None or code in said else f"{code}: {said}"
