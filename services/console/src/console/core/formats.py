"""Formats: numbers, durations and times as texts with their units."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

UNKNOWN = "not known"
DASH = "–"

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def count(number: int | None) -> str:
    """A number with thin spaces between groups of three digits: `1 234 567`. A dash if the number is unknown."""
    return DASH if number is None else f"{number:,}".replace(",", "\u202f")


def plain(number: float) -> str:
    """A number as people type it, with all its digits: `1000000`, `0.5`."""
    return f"{Decimal(str(number)).normalize():f}"


def share(part: float | None) -> str:
    """A share in percent, such as `70 %` or `0.4 %`. A dash if the share is unknown."""
    if part is None:
        return DASH
    percent = part * 100
    return f"{percent:.1f}\u202f%" if 0 < percent < 10 else f"{percent:.0f}\u202f%"


def span(seconds: float | None) -> str:
    """A duration in at most two units: `45 s`, `2 min 24 s`, `3 h 5 min`, `2 d 4 h`."""
    if seconds is None:
        return DASH
    whole = max(round(seconds), 0)
    for size, unit in _STEPS:
        if whole >= size:
            rest, smaller = _rest(whole, size)
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def _rest(whole: int, size: int) -> tuple[int, str]:
    if size == 60:
        return whole % 60, "s"
    smaller, unit = (3_600, "h") if size == 86_400 else (60, "min")
    return whole % size // smaller, unit


def times(factor: float | None) -> str:
    return DASH if factor is None else f"× {factor:.2f}".rstrip("0").rstrip(".")


def clock(at: datetime | None, zone: str, now: datetime) -> str:
    """The local time in the zone: `14:05:32` for a time today, `Tue 3 Mar, 14:05` for any other day."""
    if at is None:
        return DASH
    local, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone))
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M}"


def until(at: datetime | None, now: datetime) -> str:
    """`in 3 h 5 min`, or `now` if the time has passed."""
    if at is None:
        return DASH
    return "now" if at <= now else f"in {span((at - now).total_seconds())}"


def ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    passed = now - at
    return "just now" if passed < timedelta(seconds=5) else f"{span(passed.total_seconds())} ago"


def phone(digits: str) -> str:
    """A phone number with spaces between groups of digits: `+20 100 123 4567`."""
    head, rest = digits[:2], digits[2:]
    groups = [rest[start : start + 3] for start in range(0, len(rest), 3)]
    if len(groups) > 1 and len(groups[-1]) < 3:
        groups[-2:] = [groups[-2] + groups[-1]]
    return "+" + " ".join([head, *groups]) if digits.isdecimal() else digits


def plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"
