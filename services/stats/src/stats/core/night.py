"""Night: whether a message reaches its recipient at night, by the time zone of the phone number."""

from datetime import datetime

from spreader.phone.time_zone import zone_of

PREFIX_DIGITS = 7
"""The leading digits that locate a number: country, area or operator. The others identify the subscriber."""
SAMPLE_SUBSCRIBER = "23456789"
ENDS_HOUR = 6


def is_night(recipient: str, at: datetime) -> bool:
    """Whether it is between 0:00 and 6:00 for the recipient."""
    prefix, rest = recipient[:PREFIX_DIGITS], len(recipient) - PREFIX_DIGITS
    return at.astimezone(zone_of(prefix + SAMPLE_SUBSCRIBER[: max(rest, 0)])).hour < ENDS_HOUR
