"""Lost outcome: what the sender reports when the pacer asks about a release whose outcome never reached the pacer."""

from dataclasses import dataclass
from datetime import datetime

from sender.core.claim_result import SettledStatus
from spreader.contract.events import DeliveryOutcome

NEVER_SENT = ("deferred", "returned")


@dataclass(frozen=True, slots=True)
class ReleaseInQuestion:
    """A release that the pacer asks about."""

    package_id: str
    message_id: str
    delivery_id: str
    recipient: str
    profile_id: str
    attempt: int
    release: int

    @property
    def generation(self) -> tuple[int, int]:
        return self.attempt, self.release


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """What the ledger has about the delivery; `status` is None until it is settled."""

    delivery_id: str
    attempt: int
    release: int
    claim: int
    status: SettledStatus | None
    gateway_message_id: str | None

    @property
    def generation(self) -> tuple[int, int]:
        return self.attempt, self.release


def status_to_report(asked: ReleaseInQuestion, entry: StoredRelease | None, all_read: bool) -> SettledStatus | None:
    """The status to report again; None if the sender still works on the release or has not read it yet.

    `all_read`: whether the sender has read every release that Kafka has. If it has, and the ledger still lacks this
    release, then the ledger was restored from an older copy, or Kafka has deleted the record. In both cases the
    delivery may have been sent. So its status is `unknown`, and the sender must not send it.
    """
    if entry is None or (entry.generation < asked.generation and entry.status in NEVER_SENT):
        return "unknown" if all_read else None
    return entry.status


def reported_outcome(
    asked: ReleaseInQuestion, status: SettledStatus, gateway_message_id: str | None, at: datetime
) -> DeliveryOutcome:
    """The outcome of the release, built from what the ledger still has of the lost outcome."""
    return DeliveryOutcome(
        package_id=asked.package_id,
        message_id=asked.message_id,
        delivery_id=asked.delivery_id,
        recipient=asked.recipient,
        lane="open",
        status="deferred" if status == "returned" else status,
        at=at,
        profile_id=asked.profile_id,
        attempt=asked.attempt,
        release=asked.release,
        reason="its outcome had not arrived and was reported again" if status != "unknown" else "its outcome was lost",
        failure="ambiguous" if status == "unknown" else None,
        gateway_message_id=gateway_message_id if status == "sent" else None,
        not_before=at if status == "deferred" else None,
    )
