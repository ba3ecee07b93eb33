"""Evidence: everything that is known of a profile when its health is judged, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spreader.contract.events import Quality, Quota, SessionState
from stats.core.closures import Closure
from stats.core.shares import NONE, Share


@dataclass(frozen=True, slots=True)
class Reported:
    """What the profile's gateway said last of it; None: it did not."""

    session: SessionState | None = None
    quality: Quality | None = None
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """How the package fared in the last 7 days: what a profile of it is measured by."""

    delivered: Share = NONE
    """Of what was sent."""
    answered: Share = NONE
    """Of the open messages that were delivered."""


@dataclass(frozen=True, slots=True)
class Evidence:
    delivered_lately: Share = NONE
    """Of what was sent in the 3 hours that ended an hour ago: a receipt takes its time."""
    delivered: Share = NONE
    """Of what was sent in the 24 hours that ended an hour ago."""
    delivered_before: Share = NONE
    """Of what was sent in the 6 days before those."""
    answered: Share = NONE
    """In the last 24 hours, of the open messages that were delivered."""
    answered_week: Share = NONE
    answered_before: Share = NONE
    """In the 6 days before the last 24 hours."""
    failed: Share = NONE
    """In the last 24 hours, of all that were sent or failed, for reasons that lie with the profile."""
    invalid: Share = NONE
    """In the last 24 hours: numbers that nobody can write to, of all that were tried."""
    night: Share = NONE
    """In the last 24 hours, of the open messages: those sent while it was night for the recipient."""
    new_contacts: Share = NONE
    """In the last 7 days, of the open messages: those to new contacts."""
    hour_open: int = 0
    """Open messages of the last hour."""
    per_day: int = 120
    """The operator's limit for a day."""
    open_sent_at: Sequence[datetime] = ()
    """The last open messages, the newest first."""
    fingerprints: Sequence[str] = ()
    """What they said."""
    misses_in_a_row: int = 0
    """Of the last messages older than an hour to people who used to get them: undelivered since the last that was."""
    cold_failed: int = 0
    cold_delivered: int = 0
    warm_failed: int = 0
    warm_delivered: int = 0
    """Of what was sent in the last hour, to new contacts and to others."""
    stuck: Share = NONE
    """In the last hour: taken by the gateway for over 2 minutes, and neither acknowledged nor failed; of all so old."""
    unheard: int = 0
    """The last messages in a row (older than 2 minutes) of which nothing was heard."""
    usual: Usual = field(default_factory=Usual)
    reported: Reported = field(default_factory=Reported)
    closures: Sequence[Closure] = ()
    """Those in force, and those that ended within the last days."""
