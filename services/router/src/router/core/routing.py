"""Routing: decides for one record of an open message whether its deliveries are assigned, wait, or are refused."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from router.core.candidates import Candidates, find_candidates
from router.core.loads import loads
from router.core.strategies import CandidatePool, allocate, weights
from router.core.terminal_outcome import TerminalOutcome
from spreader.contract.configuration import Distribution, Package
from spreader.contract.events import (
    AssignedDelivery,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    ProfilePace,
    ProfileState,
    WaitingDelivery,
)
from spreader.contract.ids import ProfileId, delivery_id
from spreader.phone.canonical import PersonKey, one_each, person_key

SUPPRESSED_AND_ERASED = "the recipient was suppressed, and erased since then"

RecordKey = tuple[str, int]
"""The message of a record, and the index of its first recipient."""


@dataclass(frozen=True, slots=True)
class Routing:
    """A decision. It is stored before it is published, so that a repeated record gets the same decision."""

    message_id: str
    first_index: int
    strategy: Distribution
    package_version: int
    profiles: tuple[str, ...]
    """The profile of each recipient, in the order of the recipients; "" for a suppressed recipient. The tuple is empty
    if the record is refused or its deliveries wait for a profile."""
    passed_over: Mapping[str, str] = field(default_factory=dict[str, str])
    """The reasons of the profiles that were not eligible. A stored decision has only the first of them."""
    refused: str | None = None
    """Why the whole record is refused. None: it is not refused."""
    reasons: Mapping[ProfileId, str] = field(default_factory=dict[ProfileId, str])
    """The reason for each candidate's share."""
    suppressed: Mapping[str, str] = field(default_factory=dict[str, str])
    """The reason for each suppressed recipient, who gets no delivery."""
    assigned_at: datetime | None = None
    """The time of the decision, which no other decision of this router process has. None: this is only a preview, or an
    older version of the router decided."""
    waiting: str | None = None
    """Why no profile can send now, so that all deliveries wait except the suppressed ones. None: they do not wait."""
    country: str | None = None  # completed national numbers; kept, so that a repeated record gets the same recipients

    @property
    def key(self) -> RecordKey:
        return self.message_id, self.first_index

    @property
    def distribution(self) -> dict[str, int]:
        return dict(Counter(profile for profile in self.profiles if profile))


@dataclass(frozen=True, slots=True)
class ProfileSnapshot:
    """The published states and paces of profiles, and the assignments that the paces do not contain yet."""

    states: Mapping[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    paces: Mapping[str, ProfilePace] = field(default_factory=dict[str, ProfilePace])
    pending: Mapping[str, int] = field(default_factory=dict[str, int])
    """Assignments made since the pacer last published each profile's queue length."""

    def pool(self, package: Package, candidates: Candidates) -> CandidatePool:
        return CandidatePool(
            candidates.eligible,
            weights(package, self.states),
            loads(package, self.states, self.paces, self.pending),
        )


def route_record(
    request: OpenMessageRequested,
    package: Package | None,
    snapshot: ProfileSnapshot,
    cursor: str,
    chance: random.Random,
    talks_to: Mapping[PersonKey, str] | None = None,
    suppressed: Mapping[PersonKey, str] | None = None,
    refusal: str | None = None,
) -> tuple[Routing, str]:
    """The decision on a record, and the package's new round-robin cursor: the profile that had the last turn in the
    package's rounds.

    `talks_to`: the profile of each person with a conversation. `suppressed`: the reason for each person who gets no
    delivery. `refusal`: why nothing of the record may be sent, regardless of its content.
    """
    if package is None:
        return _refused(request, 0, f"there is no package {request.package_id}"), cursor
    if (contradiction := refusal or request.contradiction) is not None:
        return _refused(request, package.version, contradiction), cursor
    if not package.profiles:
        return _refused(request, package.version, no_profiles_reason(package)), cursor
    candidates = find_candidates(package, snapshot.states, "open")
    strategy = request.distribution or package.distribution
    suppressed = suppressed or {}
    left_out = {each: reason for each in recipients(request) if (reason := suppressed.get(person_key(each)))}
    if not candidates.eligible:
        waiting = Routing(
            request.message_id,
            request.first_index,
            strategy,
            package.version,
            (),
            candidates.first_passed_over,
            suppressed=left_out,
            waiting=no_candidate_reason(package, candidates),
        )
        return waiting, cursor
    included = tuple(recipient for recipient in recipients(request) if recipient not in left_out)
    persons = [person_key(recipient) for recipient in included]
    bound = bound_profiles(persons, talks_to or {}, candidates) if keeps_profiles(package, strategy) else {}
    allocation = allocate(strategy, len(included), snapshot.pool(package, candidates), cursor, chance, bound)
    routing = Routing(
        request.message_id,
        request.first_index,
        strategy,
        package.version,
        _with_gaps(request, left_out, allocation.profiles),
        candidates.first_passed_over,
        reasons=allocation.kept_reasons,
        suppressed=left_out,
    )
    return routing, allocation.cursor


def keeps_profiles(package: Package, strategy: Distribution) -> bool:
    """Whether recipients with a conversation get open messages from its profile."""
    return package.keep_profile_per_customer or strategy == "smart"


def preview(
    package: Package,
    snapshot: ProfileSnapshot,
    deliveries: int,
    distribution: Distribution | None,
    cursor: str,
    chance: random.Random,
) -> Routing:
    """How a message would be shared out now. Nothing is decided or stored."""
    candidates = find_candidates(package, snapshot.states, "open")
    strategy = distribution or package.distribution
    if not package.profiles:
        return Routing("", 0, strategy, package.version, (), refused=no_profiles_reason(package))
    if not candidates.eligible:
        reason = no_candidate_reason(package, candidates)
        return Routing("", 0, strategy, package.version, (), candidates.first_passed_over, waiting=reason)
    allocation = allocate(strategy, deliveries, snapshot.pool(package, candidates), cursor, chance)
    return Routing(
        "",
        0,
        strategy,
        package.version,
        allocation.profiles,
        candidates.first_passed_over,
        reasons=allocation.kept_reasons,
    )


def no_candidate_reason(package: Package, candidates: Candidates) -> str:
    return f"no profile of package {package.package_id} can send now ({candidates.reasons})"


def no_profiles_reason(package: Package) -> str:
    return f"no profile of package {package.package_id} can open conversations: it has none"


def recipients(request: OpenMessageRequested, routing: Routing | None = None) -> tuple[str, ...]:
    """Each person once, with the number that comes first, in the order of the request.

    `routing`: the decision on the request. If a version before decision 0058 made it, it may have a profile for each
    spelling of a number.
    """
    numbers = tuple(dict.fromkeys(request.recipients))
    return numbers if routing is not None and len(routing.profiles) == len(numbers) else one_each(numbers)


def assigned_event(
    request: OpenMessageRequested, routing: Routing, written_at: datetime | None = None
) -> OpenDeliveriesAssigned:
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
        written_at=written_at,
        deliveries=_deliveries(request, routing),
    )


def waiting_event(
    request: OpenMessageRequested, routing: Routing, written_at: datetime | None = None
) -> OpenDeliveriesWaiting | None:
    """None if no delivery of the record waits for a profile."""
    if routing.waiting is None or not waiting_recipients(request, routing):
        return None
    return OpenDeliveriesWaiting(
        traceparent=request.traceparent,
        package_id=request.package_id,
        message_id=request.message_id,
        content=request.content,
        options=request.options,
        requested_at=request.requested_at,
        package_version=routing.package_version,
        total=request.total or len(request.recipients),
        strategy=routing.strategy,
        reason=routing.waiting,
        written_at=written_at,
        deliveries=tuple(
            WaitingDelivery(
                delivery_id=delivery_id(request.message_id, recipient),
                recipient=recipient,
                index=request.first_index + number,
            )
            for number, recipient in enumerate(recipients(request, routing))
            if recipient not in routing.suppressed
        ),
    )


def waiting_recipients(request: OpenMessageRequested, routing: Routing) -> int:
    """How many deliveries of the record wait for a profile."""
    return 0 if routing.waiting is None else len(recipients(request, routing)) - len(routing.suppressed)


def terminal_outcomes(request: OpenMessageRequested, routing: Routing) -> list[TerminalOutcome]:
    """The terminal outcomes of the record's deliveries that get no profile."""
    of = TerminalOutcome.of_open
    reasons = {**_erased(request, routing), **routing.suppressed}
    named = (recipient for recipient in recipients(request, routing) if recipient in reasons)
    suppressed = [of(request, recipient, "suppressed", reasons[recipient]) for recipient in named]
    if (reason := routing.refused) is None:
        return suppressed
    others = (recipient for recipient in recipients(request, routing) if recipient not in routing.suppressed)
    return [*suppressed, *(of(request, recipient, "rejected", reason) for recipient in others)]


def _erased(request: OpenMessageRequested, routing: Routing) -> dict[str, str]:
    """The recipients who were suppressed and then erased, so that the decision no longer names them."""
    if not routing.profiles:
        return {}
    pairs = zip(recipients(request, routing), routing.profiles, strict=True)
    return {recipient: SUPPRESSED_AND_ERASED for recipient, profile_id in pairs if not profile_id}


def bound_profiles(
    persons: Sequence[PersonKey], talks_to: Mapping[PersonKey, str], candidates: Candidates
) -> dict[int, ProfileId]:
    """The profile of each person with a conversation, by the person's index. Profiles that are not eligible are left
    out."""
    eligible = set(candidates.eligible)
    profiles = ((index, talks_to.get(person)) for index, person in enumerate(persons))
    return {index: ProfileId(profile) for index, profile in profiles if profile is not None and profile in eligible}


def _with_gaps(
    request: OpenMessageRequested, left_out: Mapping[str, str], profiles: Sequence[ProfileId]
) -> tuple[str, ...]:
    """The profile of each recipient, in the order of the recipients; "" for those left out."""
    rest = iter(profiles)
    return tuple("" if recipient in left_out else next(rest) for recipient in recipients(request))


def _deliveries(request: OpenMessageRequested, routing: Routing) -> tuple[AssignedDelivery, ...]:
    places = enumerate(zip(recipients(request, routing), routing.profiles, strict=True))
    return tuple(
        AssignedDelivery(
            delivery_id=delivery_id(request.message_id, recipient),
            recipient=recipient,
            profile_id=profile_id,
            index=request.first_index + number,
        )
        for number, (recipient, profile_id) in places
        if profile_id
    )


def _refused(request: OpenMessageRequested, version: int, reason: str) -> Routing:
    strategy = request.distribution or "round_robin"
    return Routing(request.message_id, request.first_index, strategy, version, (), refused=reason)
