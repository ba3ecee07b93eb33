"""Gathering: the evidence about a profile, made of what the tables say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spreader.contract.configuration import Profile
from stats.core.closures import Closure
from stats.core.evidence import Evidence, Reported, Usual
from stats.core.recent import Recent
from stats.core.shares import NONE, Share

FAULTS = frozenset(
    {"transient", "throttled", "pair", "session", "restricted", "profile", "account", "credentials", "ambiguous"}
)
"""Failure classes that lie with the profile; the others with the recipient, the message or the gateway."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the tables say of one profile; what they do not mention is 0."""

    lately: Mapping[str, int] = field(default_factory=dict[str, int])
    """Sums of the last 24 hours; `…_aged` of those that ended an hour ago, `…_lately` of the last 3 of these."""
    before: Mapping[str, int] = field(default_factory=dict[str, int])
    """Sums of the 6 days before."""
    failures: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of the last 24 hours, by class."""
    recent: Recent = field(default_factory=Recent)
    stuck: int = 0
    """Of the last hour: taken by the gateway, and neither acknowledged nor failed when they should have been."""


def evidence_of(
    gathered: Gathered,
    profile: Profile,
    usual: Usual,
    reported: Reported,
    closures: Sequence[Closure],
    stuck_after: timedelta | None,
    now: datetime,
) -> Evidence:
    """`stuck_after` None: silence of WhatsApp's server says nothing here."""
    lately, before, recent = gathered.lately, gathered.before, gathered.recent
    faults = sum(count for failure, count in gathered.failures.items() if failure in FAULTS)
    invalid, sent = gathered.failures.get("recipient", 0), lately.get("sent", 0)
    answered = _share(lately, "answered", "delivered_open")
    answered_before = _share(before, "answered", "delivered_open")
    cold, warm = recent.of_hour(now, is_new=True), recent.of_hour(now, is_new=False)
    due = 0 if stuck_after is None else recent.old_enough(stuck_after)
    return Evidence(
        delivered_lately=_share(lately, "arrived_lately", "sent_lately"),
        delivered=_share(lately, "arrived_aged", "sent_aged"),
        delivered_before=_share(before, "arrived", "sent"),
        answered=answered,
        answered_week=answered + answered_before,
        answered_before=answered_before,
        failed=Share(faults, sent + faults),
        invalid=Share(invalid, sent + invalid),
        night=_share(lately, "night", "sent_open"),
        new_contacts=_share(lately, "new_contacts", "sent_open") + _share(before, "new_contacts", "sent_open"),
        hour_open=lately.get("hour_open", 0),
        per_day=profile.limits.per_day,
        open_sent_at=recent.open_sent_at,
        fingerprints=recent.fingerprints,
        misses_in_a_row=recent.misses_in_a_row(now),
        cold_failed=cold[0],
        cold_delivered=cold[1],
        warm_failed=warm[0],
        warm_delivered=warm[1],
        stuck=NONE if stuck_after is None else Share(gathered.stuck, max(due, gathered.stuck)),
        unheard=0 if stuck_after is None else recent.unheard(stuck_after),
        usual=usual,
        reported=reported,
        closures=closures,
    )


def _share(sums: Mapping[str, int], hits: str, trials: str) -> Share:
    """A receipt or an answer may fall into another window than its message: never more hits than trials."""
    total = sums.get(trials, 0)
    return Share(min(sums.get(hits, 0), total), total)
