"""Status: how far a delivery has come, as a place that only grows, and what that makes of its message."""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.contract.events import Status

STATUSES: tuple[Status, ...] = (
    "held", "released", "sent", "delivered", "read", "failed", "expired", "cancelled", "suppressed", "rejected",
    "unknown",
)  # fmt: skip
"""The names that a caller sees; `deferred` is shown as `held`, which it is again; `acknowledged` as `sent`."""

_STAGES: Mapping[Status, int] = {
    "held": 0, "released": 0, "deferred": 0,
    "unknown": 1,
    "expired": 2, "cancelled": 2, "suppressed": 2, "rejected": 2,
    "sent": 3, "acknowledged": 3,
    "failed": 4,  # a gateway may take a message and report its failure later
    "delivered": 5,
    "read": 6,
}  # fmt: skip
_SHOWN_AS: Mapping[Status, Status] = {"deferred": "held", "acknowledged": "sent"}
_PHASES: Mapping[Status, int] = {"held": 0, "released": 1, "deferred": 2}
_PHASES_COUNT = 3


@dataclass(frozen=True, slots=True, order=True)
class Progress:
    """Where a delivery stands; of two reports the greater one holds, in whatever order they arrive.

    A delivery that is under way (stage 0) may go round: held, released, deferred, released again, or begun anew by
    another profile. So attempts come before releases, and the phase decides within one release.
    """

    stage: int
    attempt: int
    turn: int


def progress(status: Status, attempt: int, release: int | None) -> Progress:
    return Progress(_STAGES[status], attempt, (release or 0) * _PHASES_COUNT + _PHASES.get(status, 0))


def shown(status: Status) -> Status:
    return _SHOWN_AS.get(status, status)


def counts(rows: Mapping[str, int], recipients: int) -> dict[Status, int]:
    """All eleven counts; a recipient without a row waits for its assignment, and is counted as held."""
    known: dict[Status, int] = {status: rows.get(status, 0) for status in STATUSES}
    return {**known, "held": known["held"] + max(0, recipients - sum(known.values()))}


def message_status(counted: Mapping[Status, int]) -> str:
    waiting, under_way = counted["held"], counted["released"]
    total = sum(counted.values())
    if waiting == total:
        return "queued"
    if waiting or under_way:
        return "in_progress"
    return "cancelled" if counted["cancelled"] == total else "completed"
