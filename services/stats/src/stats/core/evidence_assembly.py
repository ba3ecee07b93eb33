"""Evidence assembly: turns the sums and recent sends of a profile into its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spreader.contract.configuration import Profile
from stats.core.closures import Closure
from stats.core.evidence import AccountStatus, Evidence, PackageBaseline
from stats.core.recent_sends import RecentSends
from stats.core.shares import NONE, Share

PROFILE_FAULTS = frozenset(
    {"transient", "throttled", "pair", "session", "restricted", "profile", "account", "credentials", "ambiguous"}
)
"""The failure classes that concern the profile. The others concern the recipient, the message or the gateway."""


@dataclass(frozen=True, slots=True)
class RawEvidence:
    """The sums and recent sends of one profile, as the tables have them. A missing sum is 0."""

    lately: Mapping[str, int] = field(default_factory=dict[str, int])
    """Sums of the last 24 hours. A name such as `…_25h_to_1h_ago` names another window."""
    before: Mapping[str, int] = field(default_factory=dict[str, int])
    """Sums from 7 days ago until 25 hours ago."""
    failures: Mapping[str, int] = field(default_factory=dict[str, int])
    """Failures of the last 24 hours, by failure class."""
    recent: RecentSends = field(default_factory=RecentSends)
    stuck: int = 0
    """How many messages of the last hour have waited too long: the gateway accepted them, but no acknowledgement or
    failure has followed."""


def assemble_evidence(
    raw: RawEvidence,
    profile: Profile,
    baseline: PackageBaseline,
    account: AccountStatus,
    closures: Sequence[Closure],
    stuck_after: timedelta | None,
    now: datetime,
    *,
    has_quiet_hours: bool = False,
) -> Evidence:
    """The evidence of a profile. `stuck_after`: the wall time after which a missing acknowledgement is evidence. None:
    a missing acknowledgement is never evidence."""
    lately, before, recent = raw.lately, raw.before, raw.recent
    faults = sum(count for failure, count in raw.failures.items() if failure in PROFILE_FAULTS)
    invalid, sent = raw.failures.get("recipient", 0), lately.get("sent", 0)
    answered = _share(lately, "answered", "delivered_open")
    answered_before = _share(before, "answered", "delivered_open")
    cold, warm = recent.of_hour(now, is_new=True), recent.of_hour(now, is_new=False)
    due = 0 if stuck_after is None else recent.old_enough(stuck_after)
    return Evidence(
        delivered_lately=_share(lately, "arrived_4h_to_1h_ago", "sent_4h_to_1h_ago"),
        delivered=_share(lately, "arrived_25h_to_1h_ago", "sent_25h_to_1h_ago"),
        delivered_before=_share(before, "arrived", "sent"),
        answered=answered,
        answered_week=answered + answered_before,
        answered_before=answered_before,
        failed=Share(faults, sent + faults),
        invalid=Share(invalid, sent + invalid),
        night=NONE if has_quiet_hours else _share(lately, "night", "sent_open"),
        new_contacts=_share(lately, "new_contacts", "sent_open") + _share(before, "new_contacts", "sent_open"),
        hour_open=lately.get("sent_open_last_hour", 0),
        per_day=profile.limits.per_day,
        open_sent_at=recent.open_sent_at,
        fingerprints=recent.fingerprints,
        misses_in_a_row=recent.misses_in_a_row(now),
        cold_failed=cold.failed,
        cold_delivered=cold.delivered,
        warm_failed=warm.failed,
        warm_delivered=warm.delivered,
        stuck=NONE if stuck_after is None else Share(raw.stuck, max(due, raw.stuck)),
        unacknowledged_in_a_row=0 if stuck_after is None else recent.unacknowledged_in_a_row(stuck_after),
        baseline=baseline,
        account=account,
        closures=closures,
    )


def _share(sums: Mapping[str, int], hits: str, trials: str) -> Share:
    """The share of hits in the trials. There may be more hits than trials, because a receipt or an answer may fall into
    a later window than its message. Then all trials count as hits."""
    total = sums.get(trials, 0)
    return Share(min(sums.get(hits, 0), total), total)
