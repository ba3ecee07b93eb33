"""Recipient: where a person is by the phone number, and until when that person is to be left alone."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone as zones

from spreader.contract.configuration import Package, QuietHours

NUMBERS_REMEMBERED_MAX = 65_536
DAY = timedelta(days=1)
A_WINTERS_DAY = datetime(2026, 1, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RecipientRules:
    """What a package's settings say of its recipients, and not of its profiles."""

    quiet: QuietHours | None
    per_day: Set[int | None]
    """The limits of messages to one recipient, of all its profiles."""

    def __str__(self) -> str:
        """The same text for the same rules in every process."""
        limits = sorted(each for each in self.per_day if each is not None)
        return f"{self.quiet!r} {limits}{' and none' if None in self.per_day else ''}"


def recipient_rules(package: Package) -> RecipientRules:
    per_day = frozenset(profile.limits.per_recipient_per_day for profile in package.profiles)
    return RecipientRules(package.recipient_quiet_hours, per_day)


@lru_cache(maxsize=NUMBERS_REMEMBERED_MAX)
def zone_of(recipient: str) -> ZoneInfo:
    """The time zone of a number (digits, with the country), by the numbering plans of Google's libphonenumber.

    A country of several zones whose numbers do not tell: the middle one, from west to east. Unknown: UTC.
    """
    try:
        names = zones.time_zones_for_number(phonenumbers.parse(f"+{recipient}"))
    except phonenumbers.NumberParseException:
        return ZoneInfo("UTC")
    known = [ZoneInfo(name) for name in names if name != zones.UNKNOWN_TIMEZONE]
    by_longitude = sorted(known, key=_offset)
    return by_longitude[len(by_longitude) // 2] if by_longitude else ZoneInfo("UTC")


def quiet_until(quiet: QuietHours | None, recipient: str, moment: datetime, home: str = "UTC") -> datetime | None:
    """The end of the quiet hours that `moment` falls into; None: it falls into none.

    `home`: the zone of a recipient who is not known, since a forecast counts those ahead and does not read them.
    """
    if quiet is None:
        return None
    zone = zone_of(recipient) if recipient else ZoneInfo(home)
    local = moment.astimezone(zone)
    for day in (local.date() - DAY, local.date()):
        begin = datetime.combine(day, quiet.start, tzinfo=zone).astimezone(UTC)
        if begin <= moment < begin + quiet.length:
            return begin + quiet.length
    return None


def _offset(zone: ZoneInfo) -> timedelta:
    return A_WINTERS_DAY.astimezone(zone).utcoffset() or timedelta(0)
