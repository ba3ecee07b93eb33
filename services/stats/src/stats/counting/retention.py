"""Retention: how long stats keeps its rows.

The age of counts is measured in system time. The other rows are there to detect repeats, and to match later receipts
and answers. Their age is measured in wall time, because repeats, receipts and answers come from real machines and
people.
"""

from datetime import timedelta

from spreader.runtime.retention import OldRows

MINUTES_KEPT = timedelta(days=14)
REPEATS_KEPT = timedelta(days=15)
"""A gateway repeats its webhook calls for up to a week, and Kafka keeps the records of these calls for another week."""
RECEIPTS_KEPT = timedelta(days=35)
"""A phone that was off for a month still sends its receipts."""
CONTACTS_KEPT = timedelta(days=71)
"""When a profile and a customer have exchanged no message for 70 days, a message of the customer need not count as an
answer. One more day is needed because `touched_at` may be a day too early."""

_MINUTES = ("minute", "minute_failure", "package_minute", "package_minute_failure")
_HOURS = ("hour", "hour_failure", "package_hour", "package_hour_failure")


def old_rows(keep: timedelta) -> tuple[OldRows, ...]:
    """`keep`: how long counts by hour, counts of messages, ended alerts and automatic changes are kept."""
    return (
        *(OldRows(f"stats.{table}", "at", MINUTES_KEPT, is_system_time=True) for table in _MINUTES),
        *(OldRows(f"stats.{table}", "at", keep, is_system_time=True) for table in (*_HOURS, "change")),
        OldRows("stats.message", "first_at", keep, is_system_time=True),
        OldRows("stats.alert", "cleared_at", keep, where="cleared_at IS NOT NULL", is_system_time=True),
        OldRows("stats.delivery", "noted_at", RECEIPTS_KEPT),
        OldRows("stats.refusal", "noted_at", REPEATS_KEPT),
        OldRows("stats.customer_message", "noted_at", REPEATS_KEPT),
        OldRows("stats.contact", "touched_at", CONTACTS_KEPT),
    )
