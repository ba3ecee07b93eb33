"""Story: one package and what happens to it, drawn at random: the laws of the pacer are asked of its ledger.

Small numbers all over: they make windows full, rests near and recipients the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from pacer.core.hours import Hours
from pacer.core.policy import HeldDelivery, Margins, Rules
from pacer.core.schedule import IMMEDIATE, ORDINARY
from pacer.core.simulation import SimulatedProfile, Simulation
from spreader.contract.configuration import ActiveWindow, Gap, ProfileLimits, QuietHours, RestWindow

BEGIN = datetime(2026, 3, 28, 10, tzinfo=UTC)  # Berlin changes its clocks in the night to the 29th, New York did before
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PROFILES = ("one", "two")
RECIPIENTS = ("4915112345678", "12125550123", "919812345678")
ZONES = {"4915112345678": "Europe/Berlin", "12125550123": "America/New_York", "919812345678": "Asia/Kolkata"}


@dataclass(frozen=True)
class Arrive:
    """Deliveries to a profile: for each how much later it may go, to whom, its rank, and whether a first word."""

    profile: int
    deliveries: list[tuple[timedelta, str, int, bool]]


@dataclass(frozen=True)
class Set:
    """Other settings, and another day limit of the package, from now on."""

    rules: Rules
    per_day: int | None


@dataclass(frozen=True)
class Restart:
    """All is built anew from the ledger and the queue."""


@dataclass(frozen=True)
class Jump:
    """The clock is set, forward or back; nothing was looked at meanwhile."""

    by: timedelta


@dataclass(frozen=True)
class Pass:
    """Time goes by, and profiles are looked at as they should be."""

    time: timedelta


Event = Arrive | Set | Restart | Jump | Pass


@dataclass(frozen=True)
class Line:
    """A line of the ledger: a release, with what was in force and asked for when it was made."""

    profile: str
    at: datetime
    delivery: str
    recipient: str
    cold: bool
    rules: Rules
    per_day: int | None


@dataclass
class Story:
    """A package as the events make it; `ledger` has its releases in the order in which they were made."""

    rules: Rules
    per_day: int | None
    ledger: list[Line] = field(default_factory=list[Line])
    asked: dict[str, tuple[int, HeldDelivery]] = field(default_factory=dict[str, tuple[int, HeldDelivery]])
    """Every delivery that came, as it came."""
    now: datetime = BEGIN
    simulation: Simulation = field(init=False)

    def __post_init__(self) -> None:
        self._restart()

    def happen(self, event: Event) -> None:
        match event:
            case Arrive(profile, deliveries):
                self._arrive(profile, deliveries)
            case Set(rules, per_day):
                self.rules, self.per_day = rules, per_day
                self._restart()  # with other settings the queue is looked at anew: put-off deliveries come back
            case Restart():
                self._restart()
            case Jump(by):
                self.now = self.simulation.now = max(self.now + by, BEGIN)
                self.simulation.wake()
            case Pass(time):
                self._run(self.now + time)

    def end(self) -> None:
        """Long enough for whatever can go."""
        self._run(self.now + 60 * DAY)

    def _arrive(self, profile: int, deliveries: list[tuple[timedelta, str, int, bool]]) -> None:
        for later, recipient, rank, cold in deliveries:
            delivery = HeldDelivery(f"d{len(self.asked)}", rank, self.now + later, recipient, cold)
            self.asked[delivery.delivery_id] = (profile, delivery)
            self.simulation.profiles[profile].queue.add([delivery])
        self.simulation.wake([profile])

    def _restart(self) -> None:
        gone = {line.delivery for line in self.ledger}
        profiles = [self._profile(name) for name in PROFILES]
        for profile, delivery in self.asked.values():
            if delivery.delivery_id not in gone:
                profiles[profile].queue.add([delivery])
        recipients: dict[str, list[datetime]] = {}
        for line in self.ledger:
            recipients.setdefault(line.recipient, []).append(line.at)
        self.simulation = Simulation(
            "package", profiles, self.now, self.per_day, sorted(line.at for line in self.ledger),
            draw_position=Random(len(self.ledger)).random,
            recipients={recipient: sorted(moments) for recipient, moments in recipients.items()},
        )  # fmt: skip
        self.simulation.wake()

    def _profile(self, name: str) -> SimulatedProfile:
        own = [line for line in self.ledger if line.profile == name]
        return SimulatedProfile(name, self.rules, [line.at for line in own], [line.at for line in own if line.cold])

    def _run(self, until: datetime) -> None:
        for release in self.simulation.run(until):
            delivery = release.delivery
            self.ledger.append(
                Line(
                    release.profile_id,
                    release.at,
                    delivery.delivery_id,
                    delivery.recipient,
                    delivery.cold,
                    self.rules,
                    self.per_day,
                )
            )
        self.now = self.simulation.now


def told(rules: Rules, per_day: int | None, events: list[Event]) -> Story:
    story = Story(rules, per_day)
    for event in events:
        story.happen(event)
    story.end()
    return story


def spans_of_rest(rest: RestWindow, zone: str, offset: timedelta, around: date) -> Iterator[tuple[datetime, datetime]]:
    """By the wall clock of the zone, written apart from the policy's own."""
    for day in (around - DAY, around, around + DAY):
        begin = datetime.combine(day, rest.start, tzinfo=ZoneInfo(zone)).astimezone(UTC) + offset
        yield begin, begin + timedelta(hours=rest.hours)


def times(*hours: int) -> st.SearchStrategy[time]:
    return st.sampled_from(hours).map(time)


limits = st.builds(
    ProfileLimits, per_hour=st.integers(1, 4), per_3_hours=st.integers(2, 7), per_day=st.integers(3, 12),
    new_contacts_per_day=st.none() | st.integers(1, 3), unanswered_per_30_days=st.none() | st.integers(2, 5),
    per_recipient_per_day=st.none() | st.integers(1, 2),
)  # fmt: skip
hours = st.builds(
    Hours,
    st.none() | st.builds(RestWindow, start=times(0, 1, 9, 22), hours=st.sampled_from([0.5, 4.0, 11.0])),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.just(()) | st.builds(lambda start, end: (ActiveWindow(start=start, end=end),), times(8, 11), times(2, 14, 20)),
    st.sampled_from([-45, 0, 20]).map(lambda minutes: timedelta(minutes=minutes)),
)
rules = st.builds(
    Rules, limits, hours,
    st.sampled_from([Gap(), Gap(min_seconds=1, max_seconds=60), Gap(min_seconds=1, max_seconds=9, rush_over=2)]),
    st.sampled_from([0.3, 0.5]), st.just(Margins(timedelta(seconds=2), timedelta(seconds=1))), st.just(10),
    quiet=st.none() | st.builds(QuietHours, start=times(6, 21), hours=st.sampled_from([2.0, 12.0])),
)  # fmt: skip
package_limits = st.none() | st.integers(2, 8)
delivery = st.tuples(
    st.sampled_from([timedelta(0), timedelta(0), 20 * MINUTE, 5 * HOUR, 26 * HOUR]),
    st.sampled_from(RECIPIENTS), st.sampled_from([ORDINARY, ORDINARY, IMMEDIATE]), st.booleans(),
)  # fmt: skip
arrive = st.builds(Arrive, st.integers(0, 1), st.lists(delivery, min_size=1, max_size=9))
steps = st.sampled_from([timedelta(seconds=1), MINUTE, 17 * MINUTE, HOUR, 5 * HOUR, 14 * HOUR, 25 * HOUR])
event: st.SearchStrategy[Event] = st.one_of(
    arrive, arrive, st.builds(Pass, steps), st.builds(Pass, steps), st.builds(Set, rules, package_limits),
    st.just(Restart()), st.builds(Jump, steps), st.builds(Jump, steps.map(lambda step: -step)),
)  # fmt: skip
stories = st.builds(told, rules, package_limits, st.lists(event, min_size=3, max_size=14))
"""Some end with deliveries that can never go: 60 days are too short for the budget of unanswered contacts."""
