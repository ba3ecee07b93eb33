"""Customers: draws from a seed whether a customer gets a message, reads it and replies to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

ReceiptStatus = Literal["sent", "delivered", "read", "failed"]
"""`sent`: WhatsApp's server has accepted the message (one tick)."""

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
class CustomerHabits:
    """How often customers react in each way.

    `delivered_share` and `failed_share` are shares of all messages. `read_share` and `reply_share` are shares of the
    delivered messages. A customer who replies has read the message, so at least the share `reply_share` is read.
    """

    seed: int = 1
    delivered_share: float = 1.0
    failed_share: float = 0.0
    read_share: float = 0.6
    reply_share: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedReceipt:
    """A receipt for a message of ours."""

    status: ReceiptStatus
    at: datetime
    code: str | None = None
    """The gateway's own code of a failure."""


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """A customer's reply."""

    text: str
    at: datetime


Reaction = SimulatedReceipt | SimulatedAnswer


def server_receipt(seed: int, name: str, recipient: str, sent_at: datetime) -> SimulatedReceipt:
    """The receipt for the message's arrival at WhatsApp's server."""
    return SimulatedReceipt("sent", _later(Random(f"{seed}:{name}:{recipient}:tick"), sent_at, SENT_SECONDS))


def reactions(habits: CustomerHabits, name: str, recipient: str, sent_at: datetime) -> tuple[Reaction, ...]:
    """The reactions to a send in time order. Equal arguments give equal reactions. `name` identifies the send."""
    draw = Random(f"{habits.seed}:{name}:{recipient}")
    arrival, attention = draw.random(), draw.random()
    delivered_at = _later(draw, sent_at, DELIVERED_SECONDS)
    read_at = _later(draw, delivered_at, READ_SECONDS)
    answer_at = _later(draw, read_at, ANSWER_SECONDS)
    if arrival >= habits.delivered_share:
        fails = arrival < habits.delivered_share + habits.failed_share
        return (SimulatedReceipt("failed", delivered_at),) if fails else ()
    delivered, read = SimulatedReceipt("delivered", delivered_at), SimulatedReceipt("read", read_at)
    if attention < habits.reply_share:
        return delivered, read, SimulatedAnswer(draw.choice(ANSWERS), answer_at)
    if attention < habits.read_share:
        return delivered, read
    return (delivered,)


def _later(draw: Random, at: datetime, seconds: tuple[float, float]) -> datetime:
    return at + timedelta(seconds=draw.uniform(*seconds))
