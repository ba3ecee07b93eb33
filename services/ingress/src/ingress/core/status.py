"""Status: how far a delivery has come, and the status of a message. The progress of a delivery only grows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spreader.contract.events import Status

MessageStatus = Literal["queued", "in_progress", "completed", "cancelled"]
STATUSES: tuple[Status, ...] = (
    "held", "released", "sent", "delivered", "read", "failed", "expired", "cancelled", "suppressed", "rejected",
    "unknown",
)  # fmt: skip
"""The statuses that callers see. `deferred` is shown as `held`, because the delivery waits again. `acknowledged` is
shown as `sent`."""

_STAGES: Mapping[Status, int] = {
    "held": 0, "released": 0, "deferred": 0,
    "unknown": 1,
    "expired": 2, "cancelled": 2, "suppressed": 2, "rejected": 2,
    "sent": 3, "acknowledged": 3,
    "failed": 4,  # above `sent`, because a gateway may report a failure after it accepted the message
    "delivered": 5,
    "read": 6,
}  # fmt: skip
_SHOWN_AS: Mapping[Status, Status] = {"deferred": "held", "acknowledged": "sent"}
_PHASES: Mapping[Status, int] = {"held": 0, "released": 1, "deferred": 2}
_PHASES_COUNT = 3


@dataclass(frozen=True, slots=True, order=True)
class Progress:
    """How far a delivery has come. Of two events, the event with the greater progress wins, whichever event arrives
    first.

    At stage 0 a delivery may return to an earlier status. For example, it is released, deferred and released again, or
    it is held again for another profile. Therefore the events of one stage are ordered by `attempt`, and the events of
    one attempt by `turn`. A later release has a greater `turn`. Within one release, `turn` grows from held to released
    to deferred.
    """

    stage: int
    attempt: int
    turn: int


def progress(status: Status, attempt: int, release: int | None) -> Progress:
    return Progress(_STAGES[status], attempt, (release or 0) * _PHASES_COUNT + _PHASES.get(status, 0))


def shown_status(status: Status) -> Status:
    return _SHOWN_AS.get(status, status)


WAITING = "waiting"
"""Stored counts have this status for held deliveries that wait because no profile can send. Callers see these
deliveries as `held`."""


def status_counts(stored: Mapping[str, int], recipients: int) -> dict[Status, int]:
    """How many deliveries of a message have each of `STATUSES`. `stored` has the counts of the message's stored
    deliveries.

    A recipient without a stored delivery counts as held. Usually the router has not handled this recipient yet.
    """
    counts: dict[Status, int] = {status: stored.get(status, 0) for status in STATUSES}
    counts["held"] += stored.get(WAITING, 0)
    return {**counts, "held": counts["held"] + max(0, recipients - sum(counts.values()))}


def message_status(counts: Mapping[Status, int]) -> MessageStatus:
    """The status of a message by the counts of its deliveries. `cancelled` means that all its deliveries are
    cancelled."""
    total = sum(counts.values())
    if counts["held"] == total:
        return "queued"
    if counts["held"] or counts["released"]:
        return "in_progress"
    return "cancelled" if counts["cancelled"] == total else "completed"
