"""Evidence: the facts about a profile that its evaluation uses, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spreader.contract.events import Quality, Quota, SessionState
from stats.core.closures import Closure
from stats.core.shares import NONE, Share


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The newest value of each field that the profile's gateway has reported. None: not reported."""

    session: SessionState | None = None
    quality: Quality | None = None
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class PackageBaseline:
    """The shares of a whole package over the last 7 days. Its profiles are measured against them."""

    delivered: Share = NONE
    """Delivered, of the messages sent."""
    answered: Share = NONE
    """Answered, of the open messages delivered."""


@dataclass(frozen=True, slots=True)
class Evidence:
    delivered_lately: Share = NONE
    """Delivered, of the messages sent in the 3 hours that ended an hour ago. A receipt may take an hour."""
    delivered: Share = NONE
    """Delivered, of the messages sent in the 24 hours that ended an hour ago."""
    delivered_before: Share = NONE
    """Delivered, of the messages sent in the 6 days before those 24 hours."""
    answered: Share = NONE
    """Answered, of the open messages delivered in the last 24 hours."""
    answered_week: Share = NONE
    """Answered, of the open messages delivered in the last 7 days."""
    answered_before: Share = NONE
    """Answered, of the open messages delivered in the 6 days before the last 24 hours."""
    failed: Share = NONE
    """Failed for a reason that concerns the profile, of the messages sent or failed in the last 24 hours."""
    invalid: Share = NONE
    """Numbers without WhatsApp, of the messages tried in the last 24 hours."""
    night: Share = NONE
    """Sent during the recipient's night, of the open messages of the last 24 hours."""
    new_contacts: Share = NONE
    """Sent to new contacts, of the open messages of the last 7 days."""
    hour_open: int = 0
    """Open messages of the last hour."""
    per_day: int = 120
    """The operator's daily limit."""
    open_sent_at: Sequence[datetime] = ()
    """When the last open messages were sent, the newest first."""
    fingerprints: Sequence[str] = ()
    """The fingerprints of the last open messages, the newest first."""
    misses_in_a_row: int = 0
    """The newest open messages in a row that were not delivered, of those over an hour old whose recipient had
    received messages before."""
    cold_failed: int = 0
    """Messages of the last hour to new contacts that failed."""
    cold_delivered: int = 0
    """Messages of the last hour to new contacts that were delivered."""
    warm_failed: int = 0
    """Messages of the last hour to other contacts that failed."""
    warm_delivered: int = 0
    """Messages of the last hour to other contacts that were delivered."""
    stuck: Share = NONE
    """Accepted by the gateway but neither acknowledged by WhatsApp nor failed, of the messages between 2 minutes and an
    hour old."""
    unacknowledged_in_a_row: int = 0
    """The newest messages in a row, of those over 2 minutes old, without an acknowledgement or a failure."""
    baseline: PackageBaseline = field(default_factory=PackageBaseline)
    account: AccountStatus = field(default_factory=AccountStatus)
    closures: Sequence[Closure] = ()
    """The closures in force, and those that ended within the last days."""
