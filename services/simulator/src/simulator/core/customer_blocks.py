"""Customer blocks: the probability that a customer blocks an account, and the quality rating that blocks cause."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from simulator.core.behaviour import QualityRule
from simulator.core.contact import CustomerContact
from simulator.core.reports import QualityRating

RATING_SPAN = timedelta(days=7)
NIGHT = (22, 8)
KNOWN_FACTOR, NIGHT_FACTOR, SAME_FACTOR, IGNORED_FACTOR = 0.1, 1.5, 1.5, 1.5
SAME_MANY = 10


def block_probability(base: float, known: bool, same: int, hour: int, sends: int) -> float:
    """The probability that the customer blocks the account after this message.

    It is lower for a customer who knows the account, and higher at night. It is also higher if `same`, the number of
    other customers who got this content, is large. It grows with `sends`. While the customer has not replied to the
    account's last messages, this is the number of earlier messages. Otherwise it is 0.
    """
    night = hour >= NIGHT[0] or hour < NIGHT[1]
    factor = KNOWN_FACTOR if known else 1.0
    factor *= NIGHT_FACTOR if night else 1.0
    factor *= SAME_FACTOR if same >= SAME_MANY else 1.0
    return min(1.0, base * factor * IGNORED_FACTOR ** min(sends, 5))


def recent_blocks(contacts: Iterable[CustomerContact], now: datetime) -> int:
    """How many customers blocked the account in the last seven days."""
    return sum(contact.blocked_at is not None and contact.blocked_at > now - RATING_SPAN for contact in contacts)


def rating_for(rule: QualityRule, count: int) -> QualityRating:
    if count >= rule.red:
        return "RED"
    return "YELLOW" if count >= rule.yellow else "GREEN"
