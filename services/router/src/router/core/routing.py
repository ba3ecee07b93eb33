"""Routing: what becomes of one record of an open message: its deliveries assigned, or all of them refused."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.core.candidates import Candidates, candidates
from router.core.loads import loads
from router.core.strategies import WEIGHT_MAX, CandidatePool, allocate
from router.core.terminal_outcome import TerminalOutcome
from spreader.contract.configuration import Distribution, Package
from spreader.contract.events import (
    AssignedDelivery,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ProfilePace,
    ProfileState,
)
from spreader.contract.ids import ProfileId, delivery_id


@dataclass(frozen=True, slots=True)
class Routing:
    """A decision that is kept before it is published: a repeated record gets the same one."""

    message_id: str
    first_index: int
    strategy: Distribution
    package_version: int
    profiles: tuple[str, ...]
    """The profile of each recipient, in their order, "" where the recipient is suppressed; empty: refused."""
    passed_over: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: str | None = None
    reasons: Mapping[ProfileId, str] = field(default_factory=dict[ProfileId, str])
    """For each candidate why it got so many."""
    suppressed: Mapping[str, str] = field(default_factory=dict[str, str])
    """The recipients who are not written to, each with the reason."""
    assigned_at: datetime | None = None
    """A moment of its own, by which the pacer tells what it has counted; None: refused, or of an older version."""

    @property
    def distribution(self) -> dict[str, int]:
        return dict(Counter(profile for profile in self.profiles if profile))


@dataclass(frozen=True, slots=True)
class ProfileSnapshot:
    """How the profiles fare, and what they have to do."""

    states: Mapping[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    paces: Mapping[str, ProfilePace] = field(default_factory=dict[str, ProfilePace])
    more: Mapping[str, int] = field(default_factory=dict[str, int])
    """Assigned since the pacer told how much waits."""

    def pool(self, package: Package, found: Candidates) -> CandidatePool:
        return CandidatePool(
            found.eligible, weights(package, self.states), loads(package, self.states, self.paces, self.more)
        )


def route(
    request: OpenMessageRequested,
    package: Package | None,
    fleet: ProfileSnapshot,
    cursor: int,
    chance: random.Random,
    talks_to: Mapping[str, str] | None = None,
    suppressed: Mapping[str, str] | None = None,
) -> tuple[Routing, int]:
    """The decision for a record, and the package's cursor after it.

    `talks_to`: recipients' profiles, where known; `suppressed`: recipients who get nothing, with the reason.
    """
    if package is None:
        return _refused(request, 0, f"there is no package {request.package_id}"), cursor
    if request.options.contradiction is not None:
        return _refused(request, package.version, request.options.contradiction), cursor
    found = candidates(package, fleet.states, "open")
    if not found.eligible:
        return _refused(request, package.version, no_candidate_reason(package, found)), cursor
    strategy = request.distribution or package.distribution
    left_out = {each: why for each in recipients(request) if (why := (suppressed or {}).get(each)) is not None}
    people = tuple(each for each in recipients(request) if each not in left_out)
    bound = _bound(people, talks_to or {}, found) if keeps_profiles(package, strategy) else {}
    shared = allocate(strategy, len(people), fleet.pool(package, found), cursor, chance, bound)
    routing = Routing(
        request.message_id, request.first_index, strategy, package.version,
        _with_gaps(request, left_out, shared.profiles), found.passed_over,
        reasons=shared.reasons, suppressed=left_out,
    )  # fmt: skip
    return routing, shared.cursor


def keeps_profiles(package: Package, strategy: Distribution) -> bool:
    """Whether a recipient who talks to a profile gets open messages from that one."""
    return package.keep_profile_per_customer or strategy == "smart"


def preview(
    package: Package, fleet: ProfileSnapshot, deliveries: int, distribution: Distribution | None, cursor: int,
    chance: random.Random,
) -> Routing:  # fmt: skip
    """How a message would be shared now; nothing is decided by it."""
    found = candidates(package, fleet.states, "open")
    strategy = distribution or package.distribution
    if not found.eligible:
        return Routing("", 0, strategy, package.version, (), found.passed_over, no_candidate_reason(package, found))
    shared = allocate(strategy, deliveries, fleet.pool(package, found), cursor, chance)
    return Routing("", 0, strategy, package.version, shared.profiles, found.passed_over, reasons=shared.reasons)


def no_candidate_reason(package: Package, found: Candidates) -> str:
    return f"no profile of package {package.package_id} can open conversations ({found.reasons})"


def recipients(request: OpenMessageRequested) -> tuple[str, ...]:
    """Each recipient once, in the order of the request."""
    return tuple(dict.fromkeys(request.recipients))


def assigned(request: OpenMessageRequested, routing: Routing) -> OpenDeliveriesAssigned:
    return OpenDeliveriesAssigned(
        traceparent=request.traceparent,
        package_id=request.package_id,
        message_id=request.message_id,
        content=request.content,
        options=request.options,
        requested_at=request.requested_at,
        package_version=routing.package_version,
        total=request.total or len(request.recipients),
        strategy=routing.strategy,
        assigned_at=routing.assigned_at,
        passed_over=dict(routing.passed_over),
        deliveries=_deliveries(request, routing.profiles),
    )


def terminal_outcomes(request: OpenMessageRequested, routing: Routing) -> list[TerminalOutcome]:
    """The deliveries of a record that get no profile."""
    if routing.refused is not None:
        return [TerminalOutcome.of_open(request, each, "rejected", routing.refused) for each in recipients(request)]
    return [TerminalOutcome.of_open(request, each, "suppressed", why) for each, why in routing.suppressed.items()]


def weights(package: Package, states: Mapping[str, ProfileState]) -> dict[str, int]:
    """The operator's weight, else an automatic one: the day limit in force times health, scaled: the largest is 100."""
    room = {
        profile.profile_id: profile.limits.per_day * _fares(states.get(profile.profile_id))
        for profile in package.profiles
    }
    largest = max(room.values(), default=0.0) or 1.0
    return {
        profile.profile_id: profile.weight or max(1, round(WEIGHT_MAX * room[profile.profile_id] / largest))
        for profile in package.profiles
    }


def _bound(people: Sequence[str], talks_to: Mapping[str, str], found: Candidates) -> dict[int, ProfileId]:
    eligible = set(found.eligible)
    named = ((place, talks_to.get(recipient)) for place, recipient in enumerate(people))
    return {place: ProfileId(profile) for place, profile in named if profile is not None and profile in eligible}


def _with_gaps(
    request: OpenMessageRequested, left_out: Mapping[str, str], profiles: Sequence[ProfileId]
) -> tuple[str, ...]:
    """So that a recipient's place in the message and in the routing stay the same."""
    rest = iter(profiles)
    return tuple("" if each in left_out else next(rest) for each in recipients(request))


def _deliveries(request: OpenMessageRequested, profiles: Sequence[str]) -> tuple[AssignedDelivery, ...]:
    return tuple(
        AssignedDelivery(
            delivery_id=delivery_id(request.message_id, recipient),
            recipient=recipient,
            profile_id=profile_id,
            index=request.first_index + number,
        )
        for number, (recipient, profile_id) in enumerate(zip(recipients(request), profiles, strict=True))
        if profile_id
    )


def _refused(request: OpenMessageRequested, version: int, reason: str) -> Routing:
    strategy = request.distribution or "round_robin"
    return Routing(request.message_id, request.first_index, strategy, version, (), refused=reason)


def _fares(state: ProfileState | None) -> float:
    """The share of its limits that a profile may use, times its health (0 to 1; whole while nobody knows it)."""
    if state is None:
        return 1.0
    return state.limit_factor * (1.0 if state.health is None else state.health.score / 100)
