"""Quota: how many customers an account may write to first in a cycle of some days. It is WhatsApp's own limit.

A customer who replies does not count.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from simulator.core.behaviour import QuotaRule
from simulator.core.contact import CustomerContact
from simulator.core.reports import QuotaCounted, QuotaWarning

FIRST_SHARE, SECOND_SHARE = 0.7, 0.9


def quota_usage(
    rule: QuotaRule, contacts: Iterable[CustomerContact], since: datetime, age_days: float, now: datetime
) -> QuotaCounted:
    """WhatsApp's counter. The first cycle begins at `since`, and each later cycle when the one before it ends.
    `age_days` is the account's current age."""
    length = timedelta(days=rule.days)
    start = since + length * ((now - since) // length)
    total = allowed(rule, age_days)
    used = sum(contact.is_unanswered(start, now) for contact in contacts)
    return QuotaCounted(total, used, start + length, warning_level(total, used))


def allowed(rule: QuotaRule, age_days: float) -> int:
    """The quota of an account of this age. It is at least 1."""
    return max(1, round(rule.total * min(1.0, (age_days + 1) / rule.grown_days)))


def warning_level(total: int, used: int) -> QuotaWarning:
    if used >= total:
        return "CAPPED"
    if used >= total * SECOND_SHARE:
        return "SECOND_WARNING"
    return "FIRST_WARNING" if used >= total * FIRST_SHARE else "NONE"
