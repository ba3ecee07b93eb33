"""Story: a package and random events that happen to it. Tests check the laws of the pacer on the ledger of a story.

All numbers are small, so that windows get full, rests come soon and recipients repeat.
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

BEGIN = datetime(2026, 3, 28, 10, tzinfo=UTC)  # before the clock change in Berlin, after the one in New York
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PROFILES = ("one", "two")
RECIPIENTS = ("4915112345678", "12125550123", "919812345678")
ZONES = {"4915112345678": "Europe/Berlin", "12125550123": "America/New_York", "919812345678": "Asia/Kolkata"}


@dataclass(frozen=True)
class Arrive:
    """Deliveries arrive for a profile. Each has a delay, a recipient and a rank, and says whether the contact is
    cold."""

    profile: int
    deliveries: list[tuple[timedelta, str, int, bool]]


@dataclass(frozen=True)
class Set:
    """The rules and the daily limit of the package change."""

    rules: Rules
    per_day: int | None


@dataclass(frozen=True)
class Restart:
    """The simulation is built again from the ledger and the queue."""


@dataclass(frozen=True)
class Jump:
    """The clock is set forward or back without a release pass in between."""

    by: timedelta


@dataclass(frozen=True)
class Pass:
    """Time passes, with release passes."""

    time: timedelta


Event = Arrive | Set | Restart | Jump | Pass


@dataclass(frozen=True)
class LedgerEntry:
    """A release, with the rules in force when it was made."""

    profile: str
    at: datetime
    delivery: str
    recipient: str
    cold: bool
    rules: Rules
    per_day: int | None


@dataclass
class Story:
    """A package after some events. `ledger` has its releases in the order in which they were made."""

    rules: Rules
    per_day: int | None
    ledger: list[LedgerEntry] = field(default_factory=list[LedgerEntry])
    arrived: dict[str, tuple[int, HeldDelivery]] = field(default_factory=dict[str, tuple[int, HeldDelivery]])
    """Every delivery that arrived, with the number of its profile."""
    now: datetime = BEGIN
    simulation: Simulation = field(init=False)

    def __post_init__(self) -> None:
        self._restart()

    def apply(self, event: Event) -> None:
        match event:
            case Arrive(profile, deliveries):
                self._arrive(profile, deliveries)
            case Set(rules, per_day):
                self.rules, self.per_day = rules, per_day
                self._restart()  # as in the pacer, parked deliveries come back when the rules change
            case Restart():
                self._restart()
            case Jump(by):
                self.now = self.simulation.now = max(self.now + by, BEGIN)
                self.simulation.wake()
            case Pass(time):
                self._run(self.now + time)

    def end(self) -> None:
        """Run for 60 more days, because almost every delivery can be released by then."""
        self._run(self.now + 60 * DAY)

    def _arrive(self, profile: int, deliveries: list[tuple[timedelta, str, int, bool]]) -> None:
        for later, recipient, rank, cold in deliveries:
            delivery = HeldDelivery(f"d{len(self.arrived)}", rank, self.now + later, recipient, cold)
            self.arrived[delivery.delivery_id] = (profile, delivery)
            self.simulation.profiles[profile].queue.add([delivery])
        self.simulation.wake([profile])

    def _restart(self) -> None:
        gone = {entry.delivery for entry in self.ledger}
        profiles = [self._profile(name) for name in PROFILES]
        for profile, delivery in self.arrived.values():
            if delivery.delivery_id not in gone:
                profiles[profile].queue.add([delivery])
        recipients: dict[str, list[datetime]] = {}
        for entry in self.ledger:
            recipients.setdefault(entry.recipient, []).append(entry.at)
        self.simulation = Simulation(
            "package",
            profiles,
            self.now,
            self.per_day,
            sorted(entry.at for entry in self.ledger),
            draw_position=Random(len(self.ledger)).random,
            recipients={recipient: sorted(moments) for recipient, moments in recipients.items()},
        )
        self.simulation.wake()

    def _profile(self, name: str) -> SimulatedProfile:
        own = [entry for entry in self.ledger if entry.profile == name]
        return SimulatedProfile(
            name, self.rules, [entry.at for entry in own], [entry.at for entry in own if entry.cold]
        )

    def _run(self, until: datetime) -> None:
        for release in self.simulation.run(until):
            delivery = release.delivery
            self.ledger.append(
                LedgerEntry(
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


def play(rules: Rules, per_day: int | None, events: list[Event]) -> Story:
    story = Story(rules, per_day)
    for event in events:
        story.apply(event)
    story.end()
    return story


def spans_of_rest(rest: RestWindow, zone: str, offset: timedelta, around: date) -> Iterator[tuple[datetime, datetime]]:
    """The rests around a day, computed independently of the policy."""
    for day in (around - DAY, around, around + DAY):
        begin = datetime.combine(day, rest.start, tzinfo=ZoneInfo(zone)).astimezone(UTC) + offset
        yield begin, begin + timedelta(hours=rest.hours)


def times(*hours: int) -> st.SearchStrategy[time]:
    return st.sampled_from(hours).map(time)


limits = st.builds(
    ProfileLimits,
    per_hour=st.integers(1, 4),
    per_3_hours=st.integers(2, 7),
    per_day=st.integers(3, 12),
    new_contacts_per_day=st.none() | st.integers(1, 3),
    unanswered_per_30_days=st.none() | st.integers(2, 5),
    per_recipient_per_day=st.none() | st.integers(1, 2),
)
hours = st.builds(
    Hours,
    st.none() | st.builds(RestWindow, start=times(0, 1, 9, 22), hours=st.sampled_from([0.5, 4.0, 11.0])),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.just(()) | st.builds(lambda start, end: (ActiveWindow(start=start, end=end),), times(8, 11), times(2, 14, 20)),
    st.sampled_from([-45, 0, 20]).map(lambda minutes: timedelta(minutes=minutes)),
)
rules = st.builds(
    Rules,
    limits,
    hours,
    st.sampled_from([Gap(), Gap(min_seconds=1, max_seconds=60), Gap(min_seconds=1, max_seconds=9, rush_over=2)]),
    st.sampled_from([0.3, 0.5]),
    st.just(Margins(timedelta(seconds=2), timedelta(seconds=1))),
    st.just(10),
    quiet=st.none() | st.builds(QuietHours, start=times(6, 21), hours=st.sampled_from([2.0, 12.0])),
)
package_limits = st.none() | st.integers(2, 8)
delivery = st.tuples(
    st.sampled_from([timedelta(0), timedelta(0), 20 * MINUTE, 5 * HOUR, 26 * HOUR]),
    st.sampled_from(RECIPIENTS),
    st.sampled_from([ORDINARY, ORDINARY, IMMEDIATE]),
    st.booleans(),
)
arrive = st.builds(Arrive, st.integers(0, 1), st.lists(delivery, min_size=1, max_size=9))
steps = st.sampled_from([timedelta(seconds=1), MINUTE, 17 * MINUTE, HOUR, 5 * HOUR, 14 * HOUR, 25 * HOUR])
event: st.SearchStrategy[Event] = st.one_of(
    arrive,
    arrive,
    st.builds(Pass, steps),
    st.builds(Pass, steps),
    st.builds(Set, rules, package_limits),
    st.just(Restart()),
    st.builds(Jump, steps),
    st.builds(Jump, steps.map(lambda step: -step)),
)
stories = st.builds(play, rules, package_limits, st.lists(event, min_size=3, max_size=14))
"""Random stories. Some end with deliveries that were not released, because the unanswered budget may hold them for
longer than the 60 days at the end."""
