"""Quota: the contacts that an account may open without an answer, which WhatsApp counts in cycles and does not tell."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from simulator.core.behaviour import QuotaRule
from simulator.core.contact import Contact
from simulator.core.reports import Counted, Warning_

FIRST_SHARE, SECOND_SHARE = 0.7, 0.9


def counted(rule: QuotaRule, contacts: Iterable[Contact], since: datetime, age_days: float, now: datetime) -> Counted:
    """WhatsApp's counter now. Cycles follow each other from `since`; `age_days` is the account's age now."""
    length = timedelta(days=rule.days)
    start = since + length * ((now - since) // length)
    total = allowed(rule, age_days)
    used = sum(contact.unanswered(start, now) for contact in contacts)
    return Counted(total, used, start + length, warning(total, used))


def allowed(rule: QuotaRule, age_days: float) -> int:
    """What an account of this age has of the total: at least one."""
    return max(1, round(rule.total * min(1.0, (age_days + 1) / rule.grown_days)))


def warning(total: int, used: int) -> Warning_:
    if used >= total:
        return "CAPPED"
    if used >= total * SECOND_SHARE:
        return "SECOND_WARNING"
    return "FIRST_WARNING" if used >= total * FIRST_SHARE else "NONE"
