"""Recipient hours: the end of the quiet hours in the time zone of a recipient's phone number."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from spreader.contract.configuration import Package, QuietHours
from spreader.phone.time_zone import zone_of

DAY = timedelta(days=1)


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
