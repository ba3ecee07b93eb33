"""Board: what the operators see: for each profile its bars and its status in one word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from console.core.reading import Reading
from spreader.configuration import Package, Profile
from spreader.events import ProfileState

Tone = Literal["good", "full", "off", "bad", "unknown"]
NEARLY_FULL = 0.8


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of a limit is used. `used` is None where nobody has said it yet."""

    window: str
    used: int | None
    limit: int

    @property
    def text(self) -> str:
        return f"{'–' if self.used is None else self.used}/{self.limit} {self.window}"

    @property
    def share(self) -> float:
        return min(1.0, (self.used or 0) / self.limit)

    @property
    def is_full(self) -> bool:
        return self.used is not None and self.used >= self.limit


@dataclass(frozen=True, slots=True)
class Status:
    """A word for the eye, a tone for its colour, and the sentence that explains it."""

    word: str
    tone: Tone
    why: str

    @property
    def text(self) -> str:
        return f"{'●' if self.tone == 'good' else '○'} {self.word}"


@dataclass(frozen=True, slots=True)
class Row:
    profile_id: str
    name: str
    bars: tuple[Bar, ...]
    figures: str
    status: Status


@dataclass(frozen=True, slots=True)
class Section:
    package_id: str
    name: str
    about: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Board:
    sections: tuple[Section, ...]
    notices: tuple[str, ...]
    """What is not as it should be with the page itself: whose answer is old, and how old."""
    figures_are_old: bool
    is_empty: bool
    """It is known that there are no packages (not: nobody could be asked)."""

    @property
    def shape(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Equal shapes show the same packages and profiles: only texts and bars differ."""
        return tuple((each.package_id, tuple(row.profile_id for row in each.rows)) for each in self.sections)


Packages = Reading[Sequence[Package]]
States = Reading[Mapping[str, ProfileState]]


def board(packages: Packages, states: States, now: datetime) -> Board:
    return Board(
        sections=tuple(_section(package, states.value) for package in packages.value),
        notices=tuple(
            f"{who} no answer ({reading.trouble or 'nothing heard'}): {_age(reading.seen_at, what, now)}"
            for who, what, reading in (
                ("The ingress gives", "packages and settings", packages),
                ("The stats give", "figures", states),
            )
            if not reading.is_fresh(now)
        ),
        figures_are_old=not states.is_fresh(now),
        is_empty=packages.seen_at is not None and not packages.value,
    )


def _age(seen_at: datetime | None, what: str, now: datetime) -> str:
    if seen_at is None:
        return f"no {what} yet."
    return f"the {what} below are {(now - seen_at).total_seconds():.0f} s old."


def _section(package: Package, states: Mapping[str, ProfileState]) -> Section:
    rows = tuple(_row(package, profile, states.get(profile.profile_id)) for profile in package.profiles)
    count = f"{len(rows)} profile{'' if len(rows) == 1 else 's'}"
    about = f"{count} · {package.distribution.replace('_', ' ')} · {package.timezone}"
    return Section(package.package_id, package.name, f"{about} · paused" if package.paused else about, rows)


def _row(package: Package, profile: Profile, state: ProfileState | None) -> Row:
    bars = _bars(profile, state)
    return Row(profile.profile_id, profile.name, bars, _figures(state), _status(package, profile, state, bars))


def _bars(profile: Profile, state: ProfileState | None) -> tuple[Bar, ...]:
    """Only the open lane is limited: its sends fill the bars."""
    limits, windows = profile.limits, None if state is None else state.windows
    return (
        Bar("hourly", windows and windows.hour.sent_open, limits.per_hour),
        Bar("in 3 hours", windows and windows.three_hours.sent_open, limits.per_3_hours),
        Bar("daily", windows and windows.day.sent_open, limits.per_day),
    )


def _figures(state: ProfileState | None) -> str:
    if state is None:
        return "no figures yet"
    day = state.windows.day
    return f"24 h: {day.sent} sent, {day.received} received, {day.failed} failed"


def _status(package: Package, profile: Profile, state: ProfileState | None, bars: Sequence[Bar]) -> Status:
    if package.paused:
        return Status("Package paused", "off", "Nothing opens a conversation until the package is resumed.")
    if profile.paused:
        return Status("Paused", "off", "This profile opens no conversation until it is resumed.")
    if state is None:
        return Status("Unknown", "unknown", "The stats have not said how this profile fares.")
    if state.open.state == "blocked":
        return Status("Blocked", "bad", state.open.cause or "It opens no conversation now.")
    full = [bar.text for bar in bars if bar.is_full]
    if full:
        return Status("Limit reached", "full", f"{', '.join(full)}: the next release waits until a window has room.")
    if state.open.state == "limited":
        return Status("Limited", "full", state.open.cause or "It opens fewer conversations than its limits allow.")
    if state.windows.day.sent == 0:
        return Status("Available", "good", "It sent nothing in the last 24 hours, and may.")
    return Status("Active", "good", "It sent in the last 24 hours, and has room for more.")
