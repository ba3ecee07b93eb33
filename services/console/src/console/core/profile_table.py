"""Profile table: one row for each profile of a package.

A row shows the profile's limits, its status, and what its next release waits for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from console.core import formats
from console.core.api_models import ApiPackage, ApiProfile
from console.core.queue import ApiPace
from spreader.contract.events import Health, LaneState, ProfileState

Tone = Literal["good", "full", "warn", "off", "bad", "unknown"]
NEARLY_FULL = 0.8

WINDOWS = (
    ("hour limit", "hour", "per_hour", "hourly"),
    ("3 hours limit", "three_hours", "per_3_hours", "in 3 h"),
    ("day limit", "day", "per_day", "daily"),
)
"""Four names for each window of a limit.

These are the pacer's name of the limit, the stats' name of the window, the name of the setting, and the word on the
page.
"""

BOUNDS: Mapping[str, str] = {
    "gap": "its gap",
    "hour limit": "the hourly limit",
    "3 hours limit": "the 3-hour limit",
    "day limit": "the daily limit",
    "day limit in pairs": "the daily limit, two at a time",
    "new contacts limit": "the limit of new contacts",
    "unanswered budget": "the budget of unanswered people",
    "quarter-of-day limit": "the hourly limit of a quarter of the daily limit",
}


@dataclass(frozen=True, slots=True)
class LimitBar:
    """How much of a limit is used. `used` is None if the count is unknown. `limit` is None if there is no limit."""

    window: str
    used: int | None
    limit: int | None

    @property
    def text(self) -> str:
        limit = "no limit" if self.limit is None else formats.count(self.limit)
        return f"{formats.count(self.used)}/{limit} {self.window}"

    @property
    def share(self) -> float:
        return min(1.0, (self.used or 0) / self.limit) if self.limit else 0.0

    @property
    def is_full(self) -> bool:
        return self.used is not None and self.limit is not None and self.used >= self.limit


@dataclass(frozen=True, slots=True)
class Status:
    """A status in one word, the tone that sets the colour of that word, and a sentence that explains the status."""

    word: str
    tone: Tone
    why: str

    @property
    def text(self) -> str:
        return f"{'●' if self.tone == 'good' else '○'} {self.word}"


@dataclass(frozen=True, slots=True)
class TableRow:
    package_id: str
    profile_id: str
    name: str
    phone: str
    bars: tuple[LimitBar, ...]
    status: Status
    reply: Status | None
    """The status of the reply lane. None while the profile may send replies."""
    health: Health | None
    held: int | None
    next_release: datetime | None
    waits_for: str
    why: str


def rows(
    package: ApiPackage,
    profiles: Sequence[ApiProfile],
    states: Mapping[str, ProfileState],
    paces: Mapping[str, ApiPace],
) -> tuple[TableRow, ...]:
    return tuple(
        _row(package, profile, states.get(profile.profile_id), paces.get(profile.profile_id)) for profile in profiles
    )


def bars(profile: ApiProfile, state: ProfileState | None, pace: ApiPace | None) -> tuple[LimitBar, ...]:
    """The bars of a profile's limits, from the pacer's counts and limits.

    While the pacer's numbers are unknown, the counts come from the stats and the limits from the profile's settings.
    """
    return tuple(_bar(profile, state, pace, *window) for window in WINDOWS)


def _bar(
    profile: ApiProfile,
    state: ProfileState | None,
    pace: ApiPace | None,
    limit: str,
    window: str,
    setting: str,
    word: str,
) -> LimitBar:
    if pace is not None and (usage := pace.limits.get(limit)) is not None:
        return LimitBar(word, usage.used, usage.limit)
    used = None if state is None else getattr(state.windows, window).sent_open
    return LimitBar(word, used, getattr(profile.effective_limits, setting))


def _row(package: ApiPackage, profile: ApiProfile, state: ProfileState | None, pace: ApiPace | None) -> TableRow:
    shown = bars(profile, state, pace)
    return TableRow(
        package_id=package.package_id,
        profile_id=profile.profile_id,
        name=profile.name,
        phone=formats.phone(profile.phone),
        bars=shown,
        status=status(package, profile, state, pace, shown),
        reply=_reply(state),
        health=state.health if state else None,
        held=pace.held if pace else None,
        next_release=pace.next_release if pace else None,
        waits_for=waits_for(pace),
        why=pace.why if pace else "",
    )


def waits_for(pace: ApiPace | None) -> str:
    """What the profile's next release waits for, in words."""
    if pace is None:
        return formats.UNKNOWN
    return pace.stopped or BOUNDS.get(pace.bound, pace.bound) or "its turn"


def status(
    package: ApiPackage,
    profile: ApiProfile,
    state: ProfileState | None,
    pace: ApiPace | None,
    shown: Sequence[LimitBar],
) -> Status:
    """The status of the profile's open lane."""
    if package.paused:
        return Status("Package paused", "off", "Nothing opens a conversation until the package is resumed.")
    if profile.paused:
        return Status("Paused", "off", "This profile opens no conversation until it is resumed.")
    if state is None and pace is None:
        return Status("Unknown", "unknown", "Neither the stats nor the pacer have said how this profile fares.")
    if state is not None and state.open.state == "blocked":
        return Status("Blocked", "bad", _cause(state.open, "It opens no conversation now."))
    full = [bar.text for bar in shown if bar.is_full]
    if full:
        return Status("Limit reached", "full", f"{', '.join(full)}: the next release waits until a window has room.")
    if state is not None and state.open.state == "limited":
        return Status("Limited", "warn", _cause(state.open, "It opens fewer conversations than its limits allow."))
    if not any(bar.used for bar in shown):
        return Status("Available", "good", "It sent nothing in the last 24 hours, and is free to send.")
    return Status("Active", "good", "It sent in the last 24 hours, and has room for more.")


def _reply(state: ProfileState | None) -> Status | None:
    if state is None or state.reply.state == "ok":
        return None
    return Status("Replies blocked", "bad", _cause(state.reply, "It cannot answer customers now."))


def _cause(lane: LaneState, otherwise: str) -> str:
    return lane.cause or otherwise


def health_tone(health: Health | None) -> Tone:
    if health is None:
        return "unknown"
    return "good" if health.band == "good" else "warn" if health.band == "warning" else "bad"
