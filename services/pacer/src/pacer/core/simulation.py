"""Simulation: runs the release policy forward from the current state. Its decisions come from the code that the release
loop uses."""

import heapq
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pacer.core.gap import PAIRS_SPAN, TEMPO_SPAN, Pace
from pacer.core.limits import DAY, Limit, contact_limits, full_limits, rolling_limits
from pacer.core.memory_queue import MemoryQueue
from pacer.core.policy import Bounds, Facts, HeldDelivery, Pair, Release, Rules, Wait
from pacer.core.release_pass import LOOK_AGAIN, Due, PassResult, run_pass
from spreader.contract.bounds import Bound

STEP_MIN = timedelta(microseconds=1)
"""The shortest time between two looks at a profile. Without it, a simulation might never end."""
RELEASES_KEPT = 4_096
"""A simulated profile always keeps at least this many of its newest releases. Older ones are dropped from time to
time."""

DrawPosition = Callable[[], float]
"""Draws the position of the next gap in its range, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SimulatedRelease:
    profile_id: str
    at: datetime
    delivery: HeldDelivery
    waited_for: str
    """The last bound that held the delivery. Empty: no bound held it."""
    pace: Pace


@dataclass
class SimulatedProfile:
    """One profile: its queue, its releases so far, and when to look at it next."""

    profile_id: str
    rules: Rules
    releases: list[datetime] = field(default_factory=list[datetime])
    """The releases so far, in order."""
    contacts: list[datetime] = field(default_factory=list[datetime])
    """The releases to cold contacts that have not answered, in order."""
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    look_at: datetime | None = None
    position: float = 0.5
    fixed_position: float = 0.5
    """The position of every gap after the next one, if the simulation draws no positions."""
    bound: str = ""
    gap_until: datetime | None = None
    """The end of the gap, if only the gap holds the queue and nothing has happened since the last look."""
    due_at_last_look: int = 0

    def due_count(self, now: datetime) -> int:
        """The number of deliveries that are due. Among the inputs of the gap, only this number changes as time
        passes."""
        self.queue.advance(now)
        return self.queue.due

    def unchanged_until(self, now: datetime) -> datetime | None:
        """The end of the profile's wait, if another look would decide the same as the last one. None: look again."""
        if self.gap_until is None or now >= self.gap_until or self.due_count(now) != self.due_at_last_look:
            return None
        return self.gap_until

    def facts(self, now: datetime, package_full_until: Bounds) -> Facts:
        self.queue.advance(now)
        before_slack = now - self.rules.slack_max
        return Facts(
            last_release=self.releases[-1] if self.releases else None,
            full_until=full_limits(rolling_limits(self.rules.limits), self.releases, before_slack),
            sent_last_2_hours=self._sent_since(self.releases[-1] - TEMPO_SPAN) if self.releases else 0,
            waiting=min(self.queue.due, self.rules.gap.rush_over + 1),
            position=self.position,
            at_gateway=0,
            contacts_full_until=full_limits(contact_limits(self.rules.limits), self.contacts, before_slack),
            package_full_until=package_full_until,
            pair=self._pair(),
        )

    def record_release(self, delivery: HeldDelivery, now: datetime) -> None:
        self.queue.take(delivery)
        self.releases.append(now)
        if delivery.cold:
            self.contacts.append(now)
        if len(self.releases) > 2 * RELEASES_KEPT:
            del self.releases[:RELEASES_KEPT]

    def _sent_since(self, since: datetime) -> int:
        return len(self.releases) - bisect_right(self.releases, since)

    def _pair(self) -> Pair | None:
        most = self.rules.limits.per_day
        if most < 2 or len(self.releases) < most or self.releases[-most] <= (begin := self.releases[-1] - DAY):
            return None
        places = self._sent_since(begin) - self._sent_since(begin + PAIRS_SPAN)
        return Pair(self.releases[-most] + DAY, self.releases[1 - most] + DAY, places)


@dataclass
class Simulation:
    """The profiles of one package and what they share. Simulated gateways answer at once, so no delivery ever waits for
    an answer."""

    package_id: str
    profiles: Sequence[SimulatedProfile]
    now: datetime
    per_day: int | None = None
    releases: list[datetime] = field(default_factory=list[datetime])
    """The releases of the whole package, in order. They are recorded only if the package has a daily limit."""
    draw_position: DrawPosition | None = None
    """None: every gap of a profile has its `fixed_position`."""
    recipients: dict[str, list[datetime]] = field(default_factory=dict[str, list[datetime]])
    """The package's releases to each recipient, in order."""
    looks_max: int | None = None
    """After this many looks the simulation is cut; None: never."""
    is_cut: bool = field(default=False, init=False)
    """Whether the simulation ended because it had used all its looks. Then `now` is the time that it had reached."""
    looks: int = field(default=0, init=False)
    """The looks so far."""
    _agenda: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]], init=False)

    def wake(self, numbers: Iterable[int] | None = None) -> None:
        """Plan a look at these profiles for now (None: at all profiles). Call this after adding a delivery or setting
        the clock."""
        for number in range(len(self.profiles)) if numbers is None else numbers:
            self.profiles[number].look_at, self.profiles[number].gap_until = self.now, None
            heapq.heappush(self._agenda, (self.now, number))

    def run(self, until: datetime) -> Iterator[SimulatedRelease]:
        """Yields every release before `until`, in order of time. At the end `now` is `until`, unless the simulation was
        cut."""
        while self._agenda and self._agenda[0][0] < until:
            if self.looks == self.looks_max:
                self.is_cut = True
                return
            look_at, number = heapq.heappop(self._agenda)
            profile = self.profiles[number]
            if profile.look_at != look_at:
                continue  # an outdated entry: the profile's next look was planned again
            self.now = max(self.now, look_at)
            if (waits_until := profile.unchanged_until(self.now)) is not None:
                self._look_later(number, min(waits_until, self.now + LOOK_AGAIN))
                continue
            result = self._look(profile)
            if isinstance(result.decision, Release) and result.delivery is not None:
                yield self._release(profile, result.delivery, result.decision.pace)
            self._plan(number, result)
        self.now = max(self.now, until)

    def _look(self, profile: SimulatedProfile) -> PassResult:
        self.looks += 1
        facts = profile.facts(self.now, self._package_full_until())
        heads = profile.queue.heads()
        bounded = tuple(self._with_recipient_limit(head, profile.rules) for head in heads) if self.recipients else heads
        (result,) = run_pass([Due(profile.profile_id, self.package_id, profile.rules, facts, bounded)], {}, self.now)
        for parked in result.parked:
            (head,) = (head for head in heads if head.delivery_id == parked.delivery_id)
            profile.queue.park(head, parked.until)
        return result

    def _with_recipient_limit(self, head: HeldDelivery, rules: Rules) -> HeldDelivery:
        """The delivery with its recipient's own limit, which counts the releases of all profiles of the package."""
        most, released_at = rules.limits.per_recipient_per_day, self.recipients.get(head.recipient)
        if most is None or released_at is None:
            return head
        return replace(head, bounds=full_limits([Limit(Bound.RECIPIENT_LIMIT, DAY, most)], released_at, self.now))

    def _package_full_until(self) -> Bounds:
        if self.per_day is None:
            return {}
        return full_limits([Limit(Bound.PACKAGE_DAY_LIMIT, DAY, self.per_day)], self.releases, self.now)

    def _release(self, profile: SimulatedProfile, delivery: HeldDelivery, pace: Pace) -> SimulatedRelease:
        profile.record_release(delivery, self.now)
        profile.position = profile.fixed_position if self.draw_position is None else self.draw_position()
        if self.per_day is not None:
            insort(self.releases, self.now)  # not `append`, because the clock may have been set back
        if delivery.recipient:
            insort(self.recipients.setdefault(delivery.recipient, []), self.now)
        bound, profile.bound = profile.bound, ""
        return SimulatedRelease(profile.profile_id, self.now, delivery, bound, pace)

    def _plan(self, number: int, result: PassResult) -> None:
        profile, decision = self.profiles[number], result.decision
        profile.gap_until = None
        if isinstance(decision, Wait):
            profile.bound = decision.bound
            if decision.bound == Bound.GAP and not result.parked and profile.rules.quiet is None:
                profile.gap_until, profile.due_at_last_look = decision.until, profile.due_count(self.now)
        self._look_later(number, None if _waits_for_event(result) else _next_look(result, self.now))

    def _look_later(self, number: int, look_at: datetime | None) -> None:
        self.profiles[number].look_at = look_at
        if look_at is not None:
            heapq.heappush(self._agenda, (look_at, number))


def _next_look(result: PassResult, now: datetime) -> datetime | None:
    """When to look next. That is the end of the wait, because nothing changes earlier in a simulation. There is one
    exception: while a gap binds, the pace may change, so the next look is after LOOK_AGAIN at the latest."""
    if isinstance(result.decision, Wait) and result.decision.until is not None:
        until = result.decision.until
        pace_changes = now + LOOK_AGAIN if result.decision.bound == Bound.GAP else until
        return max(min(until, pace_changes), now + STEP_MIN)
    return result.look_at


def _waits_for_event(result: PassResult) -> bool:
    """Whether the queue is empty, or waits for an operator."""
    return result.look_at is None or (isinstance(result.decision, Wait) and result.decision.until is None)
