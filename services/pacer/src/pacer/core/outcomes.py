"""Settling: what an outcome of the sender means for the queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from spreader.contract.events import DeliveryOutcome

TRIED_FOR = timedelta(hours=24)
"""How long after its first release a delivery is tried; waiting for a release does not count (decision 0005)."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A release that is answered, and the state in which its delivery goes on."""

    delivery_id: str
    profile_id: str
    package_id: str
    attempt: int
    release: int
    state: Literal["settled", "held", "returned"]
    not_before: datetime | None
    reason: str | None


def settle(outcome: DeliveryOutcome) -> Settled | None:
    """None: the outcome answers no release (a reply, a receipt, our own news)."""
    if outcome.lane != "open" or outcome.release is None or outcome.profile_id is None:
        return None
    match outcome.status:
        case "sent" | "failed" | "unknown" | "expired" | "suppressed" | "rejected":
            state = "settled"
        case "deferred":
            state = "returned" if outcome.not_before is None else "held"
        case _:
            return None
    return Settled(
        outcome.delivery_id, outcome.profile_id, outcome.package_id, outcome.attempt, outcome.release,
        state, outcome.not_before, outcome.reason,
    )  # fmt: skip
