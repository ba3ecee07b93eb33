"""Night: whether a message reaches people in their sleep, by the time zone of the phone number."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as zones

PREFIXES_REMEMBERED_MAX = 65_536
PREFIX_DIGITS = 7
"""What tells where a number is: country, area or operator. The rest is the subscriber, and might as well be another."""
SOME_SUBSCRIBER = "23456789"
BEGINS_HOUR, ENDS_HOUR = 22, 7
A_WINTERS_DAY = datetime(2026, 1, 15, tzinfo=UTC)


def is_night(recipient: str, at: datetime) -> bool:
    prefix, rest = recipient[:PREFIX_DIGITS], len(recipient) - PREFIX_DIGITS
    hour = at.astimezone(_zone_of(prefix + SOME_SUBSCRIBER[: max(rest, 0)])).hour
    return hour >= BEGINS_HOUR or hour < ENDS_HOUR


@lru_cache(maxsize=PREFIXES_REMEMBERED_MAX)
def _zone_of(recipient: str) -> ZoneInfo:
    """Of several zones whose numbers do not tell: the middle one, from west to east. Unknown: UTC."""
    try:
        names = zones.time_zones_for_number(phonenumbers.parse(f"+{recipient}"))
    except phonenumbers.NumberParseException:
        return ZoneInfo("UTC")
    known = sorted((ZoneInfo(name) for name in names if name != zones.UNKNOWN_TIMEZONE), key=_offset)
    return known[len(known) // 2] if known else ZoneInfo("UTC")


def _offset(zone: ZoneInfo) -> timedelta:
    return A_WINTERS_DAY.astimezone(zone).utcoffset() or timedelta(0)
