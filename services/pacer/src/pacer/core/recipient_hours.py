"""Recipient hours: finds a recipient's time zone from the phone number, and the end of the quiet hours in that zone."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as zones

from spreader.contract.configuration import Package, QuietHours

NUMBERS_CACHED_MAX = 65_536
DAY = timedelta(days=1)
OFFSET_DAY = datetime(2026, 1, 15, tzinfo=UTC)
"""The day whose UTC offsets order time zones from west to east."""


@dataclass(frozen=True, slots=True)
class RecipientRules:
    """The settings of a package that apply to its recipients. When they change, the pacer decides again about the
    parked deliveries."""

    quiet: QuietHours | None
    per_day: Set[int | None]
    """The profiles' limits of messages to one recipient in 24 hours, each different value once."""

    def __str__(self) -> str:
        """The same text for the same rules in every process."""
        limits = sorted(limit for limit in self.per_day if limit is not None)
        return f"{self.quiet!r} {limits}{' and none' if None in self.per_day else ''}"


def recipient_rules(package: Package) -> RecipientRules:
    per_day = frozenset(profile.limits.per_recipient_per_day for profile in package.profiles)
    return RecipientRules(package.recipient_quiet_hours, per_day)


@lru_cache(maxsize=NUMBERS_CACHED_MAX)
def zone_of(recipient: str) -> ZoneInfo:
    """The time zone of a number (digits with the country code), by the numbering plans of Google's libphonenumber.

    If the number fits several time zones of a country, the middle one from west to east is chosen. If no zone is known,
    the result is UTC.
    """
    try:
        names = zones.time_zones_for_number(phonenumbers.parse(f"+{recipient}"))
    except phonenumbers.NumberParseException:
        return ZoneInfo("UTC")
    candidates = [ZoneInfo(name) for name in names if name != zones.UNKNOWN_TIMEZONE]
    by_longitude = sorted(candidates, key=_offset)
    return by_longitude[len(by_longitude) // 2] if by_longitude else ZoneInfo("UTC")


def quiet_until(quiet: QuietHours | None, recipient: str, at: datetime, default_zone: str = "UTC") -> datetime | None:
    """The end of the quiet hours that contain `at`; None: `at` is not in quiet hours.

    `default_zone` is used when `recipient` is empty. That happens in a forecast: it counts the deliveries that are
    ahead in a profile's queue, but does not know their recipients.
    """
    if quiet is None:
        return None
    zone = zone_of(recipient) if recipient else ZoneInfo(default_zone)
    local = at.astimezone(zone)
    for day in (local.date() - DAY, local.date()):
        begin = datetime.combine(day, quiet.start, tzinfo=zone).astimezone(UTC)
        if begin <= at < begin + quiet.length:
            return begin + quiet.length
    return None


def _offset(zone: ZoneInfo) -> timedelta:
    return OFFSET_DAY.astimezone(zone).utcoffset() or timedelta(0)
