"""Course: profiles going on releasing from where they are, by the very decisions that the release loop makes."""

import heapq
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pacer.core.gap import PAIRS_SPAN, TEMPO_SPAN, Pace
from pacer.core.limits import DAY, Limit, of_contacts, rolling
from pacer.core.memory_queue import Line
from pacer.core.policy import RECIPIENT_LIMIT, Facts, Head, Pair, Release, Rules, Wait
from pacer.core.release_pass import LOOK_AGAIN, PACKAGE_DAY_LIMIT, Due, Looked, look

SOONEST = timedelta(microseconds=1)
RELEASES_KEPT = 4_096

Position = Callable[[], float]
"""Draws the place of the next gap in its range, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Went:
    """A release that was made."""

    profile_id: str
    at: datetime
    head: Head
    waited_for: str
    """The bound that was the last to hold it; empty: none did."""
    pace: Pace


@dataclass
class Runner:
    """One profile: its queue, its releases so far, and the moment at which it is to be looked at."""

    profile_id: str
    rules: Rules
    releases: list[datetime] = field(default_factory=list[datetime])
    """In order."""
    contacts: list[datetime] = field(default_factory=list[datetime])
    """The releases to cold contacts that have not answered, in order."""
    line: Line = field(default_factory=Line)
    look_at: datetime | None = None
    position: float = 0.5
    luck: float = 0.5
    """Where its gaps after the next lie in their ranges, in a course that does not draw them."""
    bound: str = ""
    gap_until: datetime | None = None
    """Where nothing but the gap holds it, and nothing has happened to it since it was looked at: how long."""
    stood: int = 0

    def standing(self, now: datetime) -> int:
        """What the gap depends on that time may change: how many are due."""
        self.line.advance(now)
        return self.line.due

    def still_waits_until(self, now: datetime) -> datetime | None:
        """Where a look would decide just as the last one did: until when it waits."""
        if self.gap_until is None or now >= self.gap_until or self.standing(now) != self.stood:
            return None
        return self.gap_until

    def facts(self, now: datetime, package_free: dict[str, datetime | None]) -> Facts:
        self.line.advance(now)
        just_now = now - self.rules.slack_max
        return Facts(
            last_release=self.releases[-1] if self.releases else None,
            free=_full(rolling(self.rules.limits), self.releases, just_now),
            sent_lately=self._sent_since(self.releases[-1] - TEMPO_SPAN) if self.releases else 0,
            waiting=min(self.line.due, self.rules.gap.rush_over + 1),
            position=self.position,
            at_gateway=0,
            contacts_free=_full(of_contacts(self.rules.limits), self.contacts, just_now),
            package_free=package_free,
            pair=self._pair(),
        )

    def note(self, head: Head, now: datetime) -> None:
        self.line.take(head)
        self.releases.append(now)
        if head.cold:
            self.contacts.append(now)
        if len(self.releases) > 2 * RELEASES_KEPT:
            del self.releases[:RELEASES_KEPT]

    def _sent_since(self, moment: datetime) -> int:
        return len(self.releases) - bisect_right(self.releases, moment)

    def _pair(self) -> Pair | None:
        most = self.rules.limits.per_day
        if most < 2 or len(self.releases) < most or self.releases[-most] <= (begin := self.releases[-1] - DAY):
            return None
        places = self._sent_since(begin) - self._sent_since(begin + PAIRS_SPAN)
        return Pair(self.releases[-most] + DAY, self.releases[1 - most] + DAY, places)


@dataclass
class Course:
    """The profiles of one package, and what they share. Gateways answer at once: nothing is ever in flight."""

    package_id: str
    runners: Sequence[Runner]
    now: datetime
    per_day: int | None = None
    releases: list[datetime] = field(default_factory=list[datetime])
    """Of the whole package, in order; kept where it has a day limit."""
    position: Position | None = None
    """None: the same for each gap, by the profile's luck."""
    recipients: dict[str, list[datetime]] = field(default_factory=dict[str, list[datetime]])
    """When the package wrote to each, in order."""
    _agenda: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]], init=False)

    def wake(self, numbers: Iterable[int] | None = None) -> None:
        """Something happened to these runners (to all), or to the clock: look at them now."""
        for number in range(len(self.runners)) if numbers is None else numbers:
            self.runners[number].look_at, self.runners[number].gap_until = self.now, None
            heapq.heappush(self._agenda, (self.now, number))

    def run(self, until: datetime) -> Iterator[Went]:
        """Every release before `until`, in the order of time; `now` ends there or where nothing waits any more."""
        while self._agenda and self._agenda[0][0] < until:
            moment, number = heapq.heappop(self._agenda)
            runner = self.runners[number]
            if runner.look_at != moment:
                continue  # it was woken meanwhile
            self.now = max(self.now, moment)
            if (waits_until := runner.still_waits_until(self.now)) is not None:
                self._look_later(number, min(waits_until, self.now + LOOK_AGAIN))
                continue
            looked = self._look(runner)
            if isinstance(looked.decision, Release) and looked.head is not None:
                yield self._went(runner, looked.head, looked.decision.pace)
            self._plan(number, looked)
        self.now = max(self.now, until)

    def _look(self, runner: Runner) -> Looked:
        facts = runner.facts(self.now, self._package_free())
        heads = runner.line.heads()
        bounded = tuple(self._bounded(head, runner.rules) for head in heads) if self.recipients else heads
        (looked,) = look([Due(runner.profile_id, self.package_id, runner.rules, facts, bounded)], {}, self.now)
        for deferred in looked.deferred:
            (head,) = (head for head in heads if head.delivery_id == deferred.delivery_id)
            runner.line.put_off(head, deferred.until)
        return looked

    def _bounded(self, head: Head, rules: Rules) -> Head:
        """With the bound of its recipient: of the releases to it, whichever of the profiles made them."""
        most, moments = rules.limits.per_recipient_per_day, self.recipients.get(head.recipient)
        if most is None or moments is None:
            return head
        return replace(head, bounds=_full((Limit(RECIPIENT_LIMIT, DAY, most),), moments, self.now))

    def _package_free(self) -> dict[str, datetime | None]:
        return (
            {}
            if self.per_day is None
            else _full((Limit(PACKAGE_DAY_LIMIT, DAY, self.per_day),), self.releases, self.now)
        )

    def _went(self, runner: Runner, head: Head, pace: Pace) -> Went:
        runner.note(head, self.now)
        runner.position = runner.luck if self.position is None else self.position()
        if self.per_day is not None:
            insort(self.releases, self.now)  # a clock that was set back may be behind another profile's last release
        if head.recipient:
            insort(self.recipients.setdefault(head.recipient, []), self.now)
        bound, runner.bound = runner.bound, ""
        return Went(runner.profile_id, self.now, head, bound, pace)

    def _plan(self, number: int, looked: Looked) -> None:
        runner, decision = self.runners[number], looked.decision
        runner.gap_until = None
        if isinstance(decision, Wait):
            runner.bound = decision.bound
            if decision.bound == "gap" and not looked.deferred and runner.rules.quiet is None:
                runner.gap_until, runner.stood = decision.until, runner.standing(self.now)
        self._look_later(number, None if _rests_for_good(looked) else _after(looked, self.now))

    def _look_later(self, number: int, moment: datetime | None) -> None:
        self.runners[number].look_at = moment
        if moment is not None:
            heapq.heappush(self._agenda, (moment, number))


def _after(looked: Looked, now: datetime) -> datetime | None:
    """The moment that the decision names: nothing changes by itself before, unlike in the live loop."""
    if isinstance(looked.decision, Wait) and looked.decision.until is not None:
        factor_changes = now + LOOK_AGAIN if looked.decision.bound == "gap" else looked.decision.until
        return max(min(looked.decision.until, factor_changes), now + SOONEST)
    return looked.look_at


def _rests_for_good(looked: Looked) -> bool:
    """Nothing waits, or it waits for a person."""
    return looked.look_at is None or (isinstance(looked.decision, Wait) and looked.decision.until is None)


def _full(limits: Iterable[Limit], releases: Sequence[datetime], now: datetime) -> dict[str, datetime | None]:
    """The limits that have no room now, each with the moment at which it has again."""
    return {
        limit.name: room
        for limit in limits
        if len(releases) >= limit.releases_max and (room := releases[-limit.releases_max] + limit.window) > now
    }
