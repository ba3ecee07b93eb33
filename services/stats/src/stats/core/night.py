"""Night: whether a message reaches its recipient at night, by the time zone of the phone number."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as zones

PREFIXES_CACHED_MAX = 65_536
PREFIX_DIGITS = 7
"""The leading digits that locate a number: country, area or operator. The others identify the subscriber."""
SAMPLE_SUBSCRIBER = "23456789"
BEGINS_HOUR, ENDS_HOUR = 22, 7
WINTER_DAY = datetime(2026, 1, 15, tzinfo=UTC)


def is_night(recipient: str, at: datetime) -> bool:
    """Whether it is between 22:00 and 7:00 for the recipient."""
    prefix, rest = recipient[:PREFIX_DIGITS], len(recipient) - PREFIX_DIGITS
    hour = at.astimezone(_zone_of(prefix + SAMPLE_SUBSCRIBER[: max(rest, 0)])).hour
    return hour >= BEGINS_HOUR or hour < ENDS_HOUR


@lru_cache(maxsize=PREFIXES_CACHED_MAX)
def _zone_of(number: str) -> ZoneInfo:
    """The time zone of a number. If it fits several zones, the middle one from west to east is chosen. If no zone is
    known, the result is UTC."""
    try:
        names = zones.time_zones_for_number(phonenumbers.parse(f"+{number}"))
    except phonenumbers.NumberParseException:
        return ZoneInfo("UTC")
    known = sorted((ZoneInfo(name) for name in names if name != zones.UNKNOWN_TIMEZONE), key=_offset)
    return known[len(known) // 2] if known else ZoneInfo("UTC")


def _offset(zone: ZoneInfo) -> timedelta:
    return WINTER_DAY.astimezone(zone).utcoffset() or timedelta(0)
