"""Blocking: how likely it is that a customer blocks an account, and what many blocks are worth."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from simulator.core.behaviour import QualityRule
from simulator.core.contact import Contact
from simulator.core.reports import Rating

SPAN = timedelta(days=7)
NIGHT = (22, 8)
KNOWN_FACTOR, NIGHT_FACTOR, SAME_FACTOR, IGNORED_FACTOR = 0.1, 1.5, 1.5, 1.5
SAME_MANY = 10


def chance(base: float, known: bool, same: int, hour: int, sends: int) -> float:
    """That the customer blocks after this message.

    Less for who knows the account; more at night, for a content that many got (`same`), and with each message that
    stayed without an answer (`sends`).
    """
    night = hour >= NIGHT[0] or hour < NIGHT[1]
    factor = KNOWN_FACTOR if known else 1.0
    factor *= NIGHT_FACTOR if night else 1.0
    factor *= SAME_FACTOR if same >= SAME_MANY else 1.0
    return min(1.0, base * factor * IGNORED_FACTOR ** min(sends, 5))


def blocks(contacts: Iterable[Contact], now: datetime) -> int:
    """Customers who blocked the account in the last seven days."""
    return sum(each.blocked_at is not None and each.blocked_at > now - SPAN for each in contacts)


def rating(rule: QualityRule, count: int) -> Rating:
    if count >= rule.red:
        return "RED"
    return "YELLOW" if count >= rule.yellow else "GREEN"
