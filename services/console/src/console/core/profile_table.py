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
from console.core.words.causes import cause
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
    "gap": "time between messages",
    "hour limit": "limit per hour",
    "3 hours limit": "limit per 3 hours",
    "day limit": "limit per day",
    "day limit in pairs": "limit per day, two at a time",
    "package day limit": "limit per day of the package",
    "new contacts limit": "limit of new contacts",
    "unanswered budget": "limit of unanswered people",
    "quarter-of-day limit": "a quarter of the day's limit in one hour",
    "recipient limit": "limit per recipient",
    "recipient quiet hours": "quiet hours of customers",
    "rest window": "rest of the phone",
    "concurrent sends": "limit of concurrent sends",
    "delivery": "its own schedule",
    "deliveries ahead": "others ahead of it",
    "open lane blocked": "campaigns are blocked",
    "package paused": "the package is paused",
    "profile paused": "the phone is paused",
    "message paused": "the campaign is paused",
    "configuration out of date": "no connection to Kafka",
    "waiting for a profile": "no phone can send",
    "nothing waits": "no messages waiting",
}
"""What operators call the bounds of the pacer."""


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
    is_blocked: bool
    """Whether one of its lanes is blocked."""
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
        is_blocked=is_blocked(state),
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
        return Status("Package paused", "off", "It sends no campaign messages until the package is resumed.")
    if profile.paused:
        return Status("Paused", "off", "It sends no campaign messages until it is resumed.")
    if state is None and pace is None:
        return Status("Unknown", "unknown", "Its figures have not arrived yet.")
    if state is not None and state.open.state == "blocked":
        return Status("Blocked", "bad", _cause(state.open, "It sends no campaign messages now."))
    full = [bar.text for bar in shown if bar.is_full]
    if full:
        return Status("Limit reached", "full", f"{', '.join(full)}. It goes on when the limit has room again.")
    if state is not None and state.open.state == "limited":
        return Status("Limited", "warn", _cause(state.open, "Its limits are lowered automatically."))
    if pace is not None and pace.bound == "rest window":
        return Status("Resting", "off", "It is outside its working hours. Replies go on.")
    if not any(bar.used for bar in shown):
        return Status("Available", "good", "Idle: nothing sent in 24 h.")
    return Status("Active", "good", "It sent in the last 24 hours, and has room for more.")


def _reply(state: ProfileState | None) -> Status | None:
    if state is None or state.reply.state == "ok":
        return None
    return Status("Replies blocked", "bad", _cause(state.reply, "It cannot send replies now."))


def _cause(lane: LaneState, otherwise: str) -> str:
    return cause(lane.cause) if lane.cause else otherwise


def is_blocked(state: ProfileState | None) -> bool:
    return state is not None and "blocked" in (state.open.state, state.reply.state)


def health_tone(health: Health | None, blocked: bool = False) -> Tone:
    """The colour of a health score. A blocked profile is never green, however good its score was before."""
    if health is None:
        return "unknown"
    if blocked:
        return "bad"
    return "good" if health.band == "good" else "warn" if health.band == "warning" else "bad"
