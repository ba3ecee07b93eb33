"""Time zone of a number: where the owner of a phone number probably is, by the numbering plans of Google's
libphonenumber."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as zones

from spreader.phone.canonical import person_key

NUMBERS_CACHED_MAX = 65_536
OFFSET_DAY = datetime(2026, 1, 15, tzinfo=UTC)
"""Time zones are ordered from west to east by their UTC offsets on this day."""


@lru_cache(maxsize=NUMBERS_CACHED_MAX)
def zone_of(number: str) -> ZoneInfo:
    """The time zone of a number (digits with the country code).

    If the number fits several time zones, the middle one from west to east is chosen. If the library does not know the
    whole number, its first digits decide. If no zone is known, the result is UTC.
    """
    try:
        parsed = phonenumbers.parse(f"+{person_key(number)}")
    except phonenumbers.NumberParseException:
        return ZoneInfo("UTC")
    names = zones.time_zones_for_number(parsed)
    if names == (zones.UNKNOWN_TIMEZONE,):
        names = zones.time_zones_for_geographical_number(parsed)
    candidates = [ZoneInfo(name) for name in names if name != zones.UNKNOWN_TIMEZONE]
    by_longitude = sorted(candidates, key=_offset)
    return by_longitude[len(by_longitude) // 2] if by_longitude else ZoneInfo("UTC")


def _offset(zone: ZoneInfo) -> timedelta:
    return OFFSET_DAY.astimezone(zone).utcoffset() or timedelta(0)
