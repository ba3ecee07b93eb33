"""Settlement: what an outcome from the sender means for the queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from spreader.contract.events import DeliveryOutcome

TRIED_FOR = timedelta(hours=24)
"""How long after its first release a delivery may be tried again. Its wait for the first release does not count
(decision 0005)."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a release, and the next state of its delivery.

    `settled`: the delivery has ended. `held`: the pacer holds it again, and may release it from `not_before` on.
    `returned`: the router assigns it again.
    """

    delivery_id: str
    profile_id: str
    package_id: str
    attempt: int
    release: int
    state: Literal["settled", "held", "returned"]
    not_before: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class ReturnEnd:
    """The end of a returned delivery: no profile can send it, or its next assignment cannot be stored."""

    delivery_id: str
    attempt: int
    reason: str | None


def return_end_of(outcome: DeliveryOutcome) -> ReturnEnd | None:
    """None if the outcome ends no returned delivery."""
    if outcome.lane != "open" or outcome.release is not None or outcome.status not in {"failed", "rejected"}:
        return None
    return ReturnEnd(outcome.delivery_id, outcome.attempt, outcome.reason)


def settlement_of(outcome: DeliveryOutcome) -> Settlement | None:
    """None if the outcome ends no release: it belongs to a reply, is a receipt, or ends a delivery that was never
    released."""
    if outcome.lane != "open" or outcome.release is None or outcome.profile_id is None:
        return None
    match outcome.status:
        case "sent" | "failed" | "unknown" | "expired" | "suppressed" | "cancelled" | "rejected":
            state = "settled"
        case "deferred":
            state = "returned" if outcome.not_before is None else "held"
        case _:
            return None
    return Settlement(
        outcome.delivery_id,
        outcome.profile_id,
        outcome.package_id,
        outcome.attempt,
        outcome.release,
        state,
        outcome.not_before,
        outcome.reason,
    )
