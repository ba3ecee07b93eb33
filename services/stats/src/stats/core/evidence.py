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
    """The share of its sent messages that were delivered."""
    answered: Share = NONE
    """The share of its delivered open messages that were answered."""


@dataclass(frozen=True, slots=True)
class Evidence:
    delivered_lately: Share = NONE
    """Of the messages sent between 4 hours and 1 hour ago, the share that was delivered. Newer messages are left out,
    because a receipt may take an hour."""
    delivered: Share = NONE
    """Of the messages sent between 25 hours and 1 hour ago, the share that was delivered."""
    delivered_before: Share = NONE
    """Of the messages sent between 7 days and 25 hours ago, the share that was delivered."""
    answered: Share = NONE
    """Of the open messages delivered in the last 24 hours, the share that was answered."""
    answered_week: Share = NONE
    """Of the open messages delivered in the last 7 days, the share that was answered."""
    answered_before: Share = NONE
    """Of the open messages delivered between 7 days and 25 hours ago, the share that was answered."""
    failed: Share = NONE
    """Of the messages sent or failed in the last 24 hours, the share that failed because of the profile."""
    invalid: Share = NONE
    """Of the messages tried in the last 24 hours, the share that went to numbers without WhatsApp."""
    night: Share = NONE
    """Of the open messages of the last 24 hours, the share that was sent during the recipient's night. Empty if the
    package has quiet hours, because these already keep messages away from the night that the operator means."""
    new_contacts: Share = NONE
    """Of the open messages of the last 7 days, the share that went to new contacts."""
    hour_open: int = 0
    """The number of open messages of the last hour."""
    per_day: int = 120
    """The operator's daily limit."""
    open_sent_at: Sequence[datetime] = ()
    """When the last open messages were sent, the newest first."""
    fingerprints: Sequence[str] = ()
    """The fingerprints of the last open messages, the newest first."""
    misses_in_a_row: int = 0
    """How many of the newest open messages in a row were not delivered. A message counts only if it is over an hour old
    and its recipient had received another message before."""
    cold_failed: int = 0
    """How many messages of the last hour to new contacts failed."""
    cold_delivered: int = 0
    """How many messages of the last hour to new contacts were delivered."""
    warm_failed: int = 0
    """How many messages of the last hour to other contacts failed."""
    warm_delivered: int = 0
    """How many messages of the last hour to other contacts were delivered."""
    stuck: Share = NONE
    """Of the messages that the gateway accepted between an hour and 2 minutes ago, the share that is stuck. A stuck
    message has neither been acknowledged by WhatsApp nor failed."""
    unacknowledged_in_a_row: int = 0
    """How many of the newest messages in a row have neither been acknowledged by WhatsApp nor failed. Only messages
    over 2 minutes old count."""
    baseline: PackageBaseline = field(default_factory=PackageBaseline)
    account: AccountStatus = field(default_factory=AccountStatus)
    closures: Sequence[Closure] = ()
    """The closures in force, and those that ended within the last 7 days."""
