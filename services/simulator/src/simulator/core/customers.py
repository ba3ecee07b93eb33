"""Customer: somebody who gets a message, perhaps reads it, perhaps answers, as a seed decides."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

ReceiptStatus = Literal["sent", "delivered", "read", "failed"]
"""`sent`: WhatsApp's server has it (one tick)."""

SENT_SECONDS = (0.1, 0.5)
DELIVERED_SECONDS = (1.0, 3.0)
READ_SECONDS = (5.0, 60.0)
ANSWER_SECONDS = (10.0, 300.0)
ANSWERS = (
    "Yes, please tell me more.",
    "How much is it?",
    "Thank you!",
    "Not now, maybe next week.",
    "Is it still available?",
    "شكرا، أريد التفاصيل",
)


@dataclass(frozen=True, slots=True)
class Habits:
    """How customers are: shares of all messages (delivered, failed) and of the delivered ones (read, reply).

    Whoever answers has read; so the share of readers is at least the share of those who answer.
    """

    seed: int = 1
    delivered_share: float = 1.0
    failed_share: float = 0.0
    read_share: float = 0.6
    reply_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What WhatsApp tells about our message."""

    status: ReceiptStatus
    at: datetime
    code: str | None = None
    """Of a failure: the gateway's own code."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the customer writes back."""

    text: str
    at: datetime


Reaction = Receipt | Answer


def tick(seed: int, name: str, recipient: str, sent_at: datetime) -> Receipt:
    """WhatsApp's server has taken the message."""
    return Receipt("sent", _later(Random(f"{seed}:{name}:{recipient}:tick"), sent_at, SENT_SECONDS))


def reactions(habits: Habits, name: str, recipient: str, sent_at: datetime) -> tuple[Reaction, ...]:
    """What follows the send of that name, in the order of time. Equal arguments give equal reactions."""
    draw = Random(f"{habits.seed}:{name}:{recipient}")
    arrival, attention = draw.random(), draw.random()
    delivered_at = _later(draw, sent_at, DELIVERED_SECONDS)
    read_at = _later(draw, delivered_at, READ_SECONDS)
    answer_at = _later(draw, read_at, ANSWER_SECONDS)
    if arrival >= habits.delivered_share:
        fails = arrival < habits.delivered_share + habits.failed_share
        return (Receipt("failed", delivered_at),) if fails else ()
    delivered, read = Receipt("delivered", delivered_at), Receipt("read", read_at)
    if attention < habits.reply_share:
        return delivered, read, Answer(draw.choice(ANSWERS), answer_at)
    if attention < habits.read_share:
        return delivered, read
    return (delivered,)


def _later(draw: Random, moment: datetime, seconds: tuple[float, float]) -> datetime:
    return moment + timedelta(seconds=draw.uniform(*seconds))
