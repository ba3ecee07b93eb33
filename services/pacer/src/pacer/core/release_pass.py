"""Release pass: decides for each profile that is due whether to release or park a delivery, or when to look again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pacer.core.policy import (
    RECIPIENT_BOUNDS,
    UNTIL_ANSWERED,
    Bounds,
    Decision,
    Facts,
    HeldDelivery,
    Release,
    Rules,
    Wait,
    decide,
)
from spreader.contract.bounds import Bound

LOOK_AGAIN = timedelta(minutes=5)  # factors change as time passes, so no profile waits longer than this for a look


BOUNDS_OF_PACKAGE = frozenset({Bound.CONCURRENT_SENDS, Bound.PACKAGE_DAY_LIMIT, Bound.RECIPIENT_LIMIT})
"""The bounds that count the releases of all profiles of a package."""


@dataclass(frozen=True, slots=True)
class Due:
    """A profile that is due, with everything that the policy needs to decide.

    `heads` are the first deliveries of each part of its queue. Rank (immediate or ordinary) and contact class (cold or
    not) divide the queue into parts. So a delivery that may be released is always near the front of its part (decision
    0015).
    """

    profile_id: str
    package_id: str
    rules: Rules
    facts: Facts
    heads: tuple[HeldDelivery, ...]
    package_room: int | None = None
    """How many releases the package's daily limit still allows; None: the package has no limit of its own."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery that waits for its own recipient until `until` and does not block those behind it."""

    delivery_id: str
    until: datetime
    bound: Bound


@dataclass(frozen=True, slots=True)
class PassResult:
    """The result for one profile. `decision` is None if the profile's queue is empty, or if the pass parked or skipped
    every delivery that it looked at."""

    profile_id: str
    package_id: str
    delivery: HeldDelivery | None
    decision: Decision | None
    look_at: datetime | None
    """When to look again; None: when an event makes the profile due."""
    parked: tuple[Parked, ...] = ()

    @property
    def awaits_answer(self) -> bool:
        """Whether the profile waits only for the gateway's answer to some release of its package."""
        return bool(self._endless) and self._endless <= BOUNDS_OF_PACKAGE

    @property
    def awaits_own_event(self) -> bool:
        """Whether the profile waits for an answer to one of its own releases, for an operator, or for better health."""
        return not self._endless <= BOUNDS_OF_PACKAGE

    @property
    def _endless(self) -> AbstractSet[Bound]:
        """The bounds whose end is not known."""
        if not isinstance(self.decision, Wait):
            return frozenset()
        return {bound for bound, until in self.decision.bounds.items() if until is None}


@dataclass
class _Usage:
    """What this pass has used so far of the limits that the profiles of a package share."""

    at_gateway: dict[str, int]
    released: Counter[str] = field(default_factory=Counter[str])
    recipients: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def facts(self, due: Due) -> Facts:
        """The profile's facts. They were read before the pass, and are now brought up to date with the releases of this
        pass."""
        at_gateway = self.at_gateway.get(due.package_id, 0)
        is_full = due.package_room is not None and self.released[due.package_id] >= due.package_room
        if not is_full and at_gateway == due.facts.at_gateway:
            return due.facts
        package_full_until = due.facts.package_full_until
        if is_full:
            # The releases of this pass have filled the package's day limit. It has room again a day after the gateway
            # answers one of these releases. That time is not known yet.
            filled: Bounds = {Bound.PACKAGE_DAY_LIMIT: UNTIL_ANSWERED}
            package_full_until = {**filled, **package_full_until}
        return replace(due.facts, at_gateway=at_gateway, package_full_until=package_full_until)

    def is_served(self, due: Due, delivery: HeldDelivery) -> bool:
        """Whether this pass has already released a delivery to the same recipient. The recipient's limit was read
        before that release, so the next pass decides about this delivery."""
        return (due.package_id, delivery.recipient) in self.recipients

    def record(self, due: Due, delivery: HeldDelivery) -> None:
        self.at_gateway[due.package_id] = self.at_gateway.get(due.package_id, 0) + 1
        self.released[due.package_id] += 1
        self.recipients.add((due.package_id, delivery.recipient))


def run_pass(dues: Iterable[Due], at_gateway: Mapping[str, int], now: datetime) -> list[PassResult]:
    """Decide for each profile in turn. The decisions for later profiles of the same package count the releases of the
    earlier ones."""
    usage = _Usage(dict(at_gateway))
    return [_decide_for(due, usage, now) for due in dues]


def _decide_for(due: Due, usage: _Usage, now: datetime) -> PassResult:
    facts = usage.facts(due)
    best: tuple[HeldDelivery, Decision] | None = None
    parked: list[Parked] = []
    skipped = False
    for head in in_order(due.heads, now):
        if usage.is_served(due, head):
            skipped = True
            continue
        decision = decide(due.rules, facts, head, now)
        # Park only what is due. A delivery that is scheduled for later blocks no other, and parking would overwrite its
        # scheduled time.
        if isinstance(decision, Wait) and head.not_before <= now and (parking := _parking(head, decision, now)):
            parked.append(parking)
        elif isinstance(decision, Release):
            usage.record(due, head)
            best = (head, decision)
            break
        elif best is None or _is_sooner(decision, best[1]):
            best = (head, decision)
    delivery, decision = best or (None, None)
    # Look again at once, because this pass has not seen the deliveries behind the parked and skipped ones.
    look_at = now if parked or skipped else _look_at(decision, now)
    return PassResult(due.profile_id, due.package_id, delivery, decision, look_at, tuple(parked))


def in_order(heads: Iterable[HeldDelivery], now: datetime) -> Sequence[HeldDelivery]:
    """First the due deliveries, by rank. Then the others, by their `not_before`."""
    listed = tuple(heads)
    if len(listed) < 2:
        return listed
    return sorted(listed, key=lambda head: (head.not_before > now, _order(head, now)))


def _order(head: HeldDelivery, now: datetime) -> tuple[float, float]:
    not_before = head.not_before.timestamp()
    return (not_before, head.rank) if head.not_before > now else (head.rank, not_before)


def _parking(head: HeldDelivery, decision: Wait, now: datetime) -> Parked | None:
    """Park until the latest of the recipient's bounds ends. If the end of a bound is not known, the bound counts as
    ending at the next look. None: no bound of the recipient holds the delivery."""
    own = {bound: until or now + LOOK_AGAIN for bound, until in decision.bounds.items() if bound in RECIPIENT_BOUNDS}
    if not own:
        return None
    binding = max(own, key=lambda bound: own[bound])
    return Parked(head.delivery_id, own[binding], binding)


def _is_sooner(decision: Decision, other: Decision) -> bool:
    if not isinstance(decision, Wait) or not isinstance(other, Wait) or decision.until is None:
        return False
    return other.until is None or decision.until < other.until


def _look_at(decision: Decision | None, now: datetime) -> datetime | None:
    match decision:
        case None:
            return None
        case Release():
            return now  # look again at once: the next bound depends on this release
        case Wait(until=until):
            return now + LOOK_AGAIN if until is None else min(until, now + LOOK_AGAIN)
