"""Closure: the reason why a profile may not use a lane, and until when. `CLOSURE_RULES` is the whole policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from spreader.contract.events import DeliveryOutcome, Lane, LaneState, ProfileReported

LANES: tuple[Lane, ...] = get_args(Lane)
FORGIVEN_AFTER = timedelta(days=7)
"""If a closure begins this long or longer after the previous closure of its kind ended, it counts as the first closure
again."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Ladder = tuple[timedelta | None, ...]
"""The lengths of the first closure of a kind, of the second closure, and so on. The last entry holds for all later
closures. None: the closure lasts until it is lifted."""


@dataclass(frozen=True, slots=True)
class ClosureRule:
    """What one kind of sign does to a profile. A lane without a ladder stays open."""

    ladders: Mapping[Lane, Ladder]
    of_holder: bool = False
    """Whether the sign closes the lanes of all profiles with the same holder."""


UNTIL_LIFTED: Mapping[Lane, Ladder] = {"open": (None,), "reply": (None,)}
CLOSURE_RULES: Mapping[str, ClosureRule] = {
    "restricted": ClosureRule({"open": (DAY, 2 * DAY, 4 * DAY, 7 * DAY)}),
    "profile": ClosureRule({"open": (6 * HOUR,), "reply": (timedelta(minutes=10),)}),
    "account": ClosureRule(UNTIL_LIFTED, of_holder=True),
    "credentials": ClosureRule(UNTIL_LIFTED, of_holder=True),
    "session": ClosureRule(UNTIL_LIFTED),
    "quota": ClosureRule({"open": (DAY,)}),
    "stuck": ClosureRule({"open": (HOUR, 6 * HOUR, DAY)}),
    "silent": ClosureRule({"open": (HOUR, 6 * HOUR, DAY)}),
    "cold_sends": ClosureRule({"open": (DAY, 2 * DAY, 4 * DAY, 7 * DAY)}),
}
"""`stuck`, `silent` and `cold_sends` are soft signs (`stats.core.soft_signs`). They leave the reply lane open."""

LADDERS_BY_CODE: Mapping[str, Ladder] = {"463": (timedelta(seconds=60), DAY, 7 * DAY)}
"""For these codes of gateways, this ladder takes the place of the ladder of `restricted`. With code 463, WhatsApp locks
a linked device for a time. WhatsApp does not report how long the lock lasts, and each new try makes it last longer."""

TEMPORARY_BANS = frozenset({"402", "101", "102", "103", "104", "106"})
BAN_STRETCH = 1.5
"""After a temporary ban a profile rests this many times as long as WhatsApp reports."""

CLOSING_FAILURES = frozenset({"restricted", "profile", "account", "credentials"})
CLOSING_SESSIONS = frozenset({"unlinked", "failed", "stopped"})
LIFTED_BY_WORKING_SESSION = frozenset({"session", "credentials"})
LIFTED_WITH_RESTRICTION = frozenset({"restricted", "profile", "account", "cold_sends"})
"""The kinds that a gateway lifts by reporting a profile without restrictions."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Evidence that closes lanes of a profile."""

    profile_id: str
    kind: str
    lanes: tuple[Lane, ...]
    """The lanes that the evidence concerns. The rule of the sign's kind decides which of these lanes are closed."""
    at: datetime
    evidence: str
    until: datetime | None = None
    """The end that the gateway reported, if any."""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Lift:
    """Evidence or an operator's request that opens lanes of a profile again."""

    profile_id: str
    at: datetime
    kinds: frozenset[str]
    endless_only: bool = False
    """Whether only closures without an end are lifted."""
    lanes: tuple[Lane, ...] = LANES


@dataclass(frozen=True, slots=True)
class Closure:
    profile_id: str
    lane: Lane
    kind: str
    since: datetime
    until: datetime | None
    strikes: int
    """The number of closures of this kind, counted from 1 again after `FORGIVEN_AFTER` without one."""
    evidence: str
    lifted_at: datetime | None = None
    """When the closure was lifted. None: it ended by itself, or has not ended. A sign from before this time may be read
    again later, but it does not close the lane again."""

    def in_force(self, now: datetime) -> bool:
        return self.until is None or now < self.until

    @property
    def key(self) -> tuple[str, Lane, str]:
        return self.profile_id, self.lane, self.kind


Closures = Mapping[tuple[str, Lane, str], Closure]


def since_added(closures: Closures, added_at: Mapping[str, datetime]) -> Closures:
    """The closures that began since their profile was added. The others are of an earlier profile with the same id."""
    return {key: closure for key, closure in closures.items() if closure.since >= added_at[closure.profile_id]}


def signs_from_outcomes(outcomes: Iterable[DeliveryOutcome]) -> list[Sign]:
    """The signs in gateways' refusals. The failure class `profile` concerns only the lane of its delivery."""
    signs: list[Sign] = []
    for outcome in outcomes:
        failure = outcome.failure
        if outcome.profile_id is not None and failure is not None and failure in CLOSING_FAILURES:
            lanes = (outcome.lane,) if failure == "profile" else LANES
            evidence = _evidence(outcome.code, outcome.reason)
            signs.append(Sign(outcome.profile_id, failure, lanes, outcome.at, evidence, outcome.until, outcome.code))
    return signs


def signs_and_lifts(report: ProfileReported) -> tuple[list[Sign], list[Lift]]:
    """The signs and the lifts in a gateway's report on a profile."""
    profile, at, evidence = report.profile_id, report.at, _evidence(report.code, report.evidence)
    signs: list[Sign] = []
    lifts: list[Lift] = []
    if report.session in CLOSING_SESSIONS:
        signs.append(Sign(profile, "session", LANES, at, evidence))
    if report.session == "working":
        lifts.append(Lift(profile, at, LIFTED_BY_WORKING_SESSION))
        lifts.append(Lift(profile, at, frozenset({"account"}), endless_only=True))
    if (restriction := report.restriction) is not None:
        if restriction.lanes:
            signs.append(
                Sign(profile, restriction.failure, restriction.lanes, at, evidence, restriction.until, report.code)
            )
        else:
            lifts.append(Lift(profile, at, LIFTED_WITH_RESTRICTION))
    if report.quota is not None:
        if report.quota.warning == "capped":
            signs.append(Sign(profile, "quota", ("open",), at, evidence, report.quota.resets_at))
        else:
            lifts.append(Lift(profile, at, frozenset({"quota"})))
    return signs, lifts


def close_lanes(sign: Sign, known: Closures) -> list[Closure]:
    """The closures that the sign adds or changes. `known`: the closures of the sign's profile so far."""
    closures: list[Closure] = []
    for lane in sign.lanes:
        ladder = CLOSURE_RULES[sign.kind].ladders.get(lane)
        if ladder is None:
            continue
        if sign.kind == "restricted":
            ladder = LADDERS_BY_CODE.get(sign.code or "", ladder)
        closure = _close_lane(sign, lane, ladder, known.get((sign.profile_id, lane, sign.kind)))
        if closure is not None:
            closures.append(closure)
    return closures


def lift_closures(lift: Lift, known: Closures) -> list[Closure]:
    """The closures that the lift ends, with their new end."""
    return [
        replace(closure, until=lift.at, lifted_at=lift.at) for closure in known.values() if _is_lifted(closure, lift)
    ]


def lane_state(closures: Iterable[Closure], lane: Lane, now: datetime) -> LaneState:
    """The published state of a lane. Of the closures in force, the one that ends last decides."""
    in_force = [closure for closure in closures if closure.lane == lane and closure.in_force(now)]
    if not in_force:
        return LaneState()
    longest = max(in_force, key=lambda closure: (closure.until is None, closure.until or closure.since, closure.kind))
    return LaneState(
        state="blocked", until=longest.until, cause=longest.evidence, kind=longest.kind, since=longest.since
    )


def _is_lifted(closure: Closure, lift: Lift) -> bool:
    return (
        closure.profile_id == lift.profile_id
        and closure.kind in lift.kinds
        and closure.lane in lift.lanes
        and closure.since < lift.at
        and closure.in_force(lift.at)
        and (closure.until is None or not lift.endless_only)
    )


def _close_lane(sign: Sign, lane: Lane, ladder: Ladder, known: Closure | None) -> Closure | None:
    """The new or changed closure. None: nothing changes.

    A sign during a closure does not count as another strike, because it belongs to the same incident. But if the
    gateway reported a later end with the sign, the closure lasts until that end.
    """
    if known is not None and sign.at <= max(known.since, known.lifted_at or known.since):
        return None
    if known is not None and known.in_force(sign.at):
        reported_end = _end(sign, None)
        if reported_end is None or known.until is None or reported_end <= known.until:
            return None
        return replace(known, until=reported_end, evidence=sign.evidence)
    is_repeated = known is not None and known.until is not None and sign.at - known.until < FORGIVEN_AFTER
    strikes = known.strikes + 1 if known is not None and is_repeated else 1
    step = ladder[min(strikes, len(ladder)) - 1]
    until = _end(sign, None if step is None else sign.at + step)
    return Closure(sign.profile_id, lane, sign.kind, sign.at, until, strikes, sign.evidence)


def _end(sign: Sign, otherwise: datetime | None) -> datetime | None:
    if sign.until is None or sign.until <= sign.at:
        return otherwise
    stretch = BAN_STRETCH if sign.kind == "account" and sign.code in TEMPORARY_BANS else 1.0
    return sign.at + (sign.until - sign.at) * stretch


def _evidence(code: str | None, reason: str | None) -> str:
    reason = reason or "the gateway refused because of the account"
    return reason if code is None or code in reason else f"{code}: {reason}"
