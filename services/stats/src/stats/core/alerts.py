"""Alert: a condition of a profile that a person should know about, from raised to cleared.

One incident raises one alert. If the kind of the alert is in `CUTTING`, the incident also cuts the limits once. While a
sign comes and goes, the incident stays the same. The incident ends when the sign has been gone for `quiet_for(kind)`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from spreader.contract.events import Alert, Health, RiskyPattern
from stats.core.evidence import Evidence
from stats.core.health import CALM_AT
from stats.core.limit_factor import CLEAN_DAY
from stats.core.soft_signs import CHECKS, SoftSign

AlertState = Literal["raised", "acknowledged", "cleared"]
Severity = Literal["warning", "critical"]

BLOCK_SIGNALS = frozenset({"restricted", "profile", "account"})
"""The kinds of reported closures that halve the limit factor."""
CUTTING = BLOCK_SIGNALS | CHECKS.keys()
"""The kinds of alerts that halve the limit factor: block signals and soft signs."""
PERSON_NEEDED = frozenset({"restricted", "profile", "account", "credentials", "session"})

QUIET_FOR = timedelta(minutes=30)


def quiet_for(kind: str) -> timedelta:
    """How long the reason must be gone until an alert of this kind is cleared.

    A sign that cuts the limits must be gone for a clean day, because the limits begin to rise again only then.
    """
    return CLEAN_DAY if kind in CUTTING else QUIET_FOR


@dataclass(frozen=True, slots=True)
class AlertReason:
    """Why a profile needs an alert of one kind."""

    severity: Severity
    evidence: str
    over_since: datetime | None = None
    """When the reason ended. None: it is present."""


AlertReasons = Mapping[str, AlertReason]
"""The reason for each kind of alert."""


def alert_reasons(
    evidence: Evidence,
    evaluated: Health,
    risks: Collection[RiskyPattern],
    soft: Collection[SoftSign],
    open_alerts: Collection[str],
    signalled_at: datetime,
    now: datetime,
) -> dict[str, AlertReason]:
    """Why the profile needs alerts: the reasons that are present, and some closures that have already ended.

    `open_alerts`: the kinds of open alerts. `signalled_at`: the start of the newest closure that an earlier evaluation
    has seen. A closure that has ended is a reason only if it is a block signal and began after `signalled_at`.
    """
    reasons = {risk.kind: AlertReason("warning", risk.evidence) for risk in risks}
    reasons |= {sign.kind: AlertReason("critical", sign.evidence) for sign in soft}
    by_end = sorted(evidence.closures, key=lambda closure: (closure.until is None, closure.until or closure.since))
    for closure in reversed(by_end):
        severity: Severity = "critical" if closure.kind in PERSON_NEEDED else "warning"
        if closure.in_force(now):
            reasons.setdefault(closure.kind, AlertReason(severity, closure.evidence))
        elif closure.kind in BLOCK_SIGNALS and closure.since > signalled_at:
            reasons.setdefault(closure.kind, AlertReason(severity, closure.evidence, over_since=closure.until))
    account = evidence.account
    if account.quality in ("yellow", "red"):
        severity = "critical" if account.quality == "red" else "warning"
        reasons["quality"] = AlertReason(severity, f"the gateway rates the number {account.quality}")
    if account.quota is not None and account.quota.warning in ("first", "second"):
        text = f"WhatsApp has counted {account.quota.used} of {account.quota.total} new chats"
        reasons["quota_warning"] = AlertReason("warning", text)
    is_low = "health" in open_alerts and evaluated.band == "good" and evaluated.score < CALM_AT
    if evaluated.band == "warning" or is_low:
        reasons["health"] = AlertReason("warning", f"health is {evaluated.score}: {weakest(evaluated)}")
    if evaluated.band == "paused":
        text = f"open chat is paused, health is {evaluated.score}: {weakest(evaluated)}"
        reasons["health_paused"] = AlertReason("critical", text)
    return reasons


def weakest(evaluated: Health) -> str:
    """What lowers the score most: the cap, if the score has one. Otherwise it is the component that costs the most
    points."""
    if evaluated.capped_by is not None:
        return evaluated.capped_by
    if not evaluated.reasons:
        return "nothing is known of it"
    costliest = max(evaluated.reasons, key=lambda reason: reason.weight * (1 - reason.share))
    return f"{costliest.name}: {costliest.evidence}"


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert as the database has it. A profile has at most one open alert of each kind."""

    alert_id: str
    profile_id: str
    package_id: str
    kind: str
    severity: Severity
    evidence: str
    raised_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    cleared_at: datetime | None = None
    quiet_since: datetime | None = None
    """Since when its reason is gone. None: the reason is present."""

    @property
    def state(self) -> AlertState:
        if self.cleared_at is not None:
            return "cleared"
        return "raised" if self.acknowledged_at is None else "acknowledged"

    @property
    def event(self) -> Alert:
        return Alert(
            alert_id=self.alert_id,
            profile_id=self.profile_id,
            package_id=self.package_id,
            kind=self.kind,
            severity=self.severity,
            state=self.state,
            evidence=self.evidence,
            by=self.acknowledged_by,
            at=self.cleared_at or self.acknowledged_at or self.raised_at,
        )


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert to raise. It gets its id when it is stored."""

    kind: str
    severity: Severity
    evidence: str
    quiet_since: datetime | None = None


def since_added(
    open_alerts: Mapping[str, Mapping[str, StoredAlert]], added_at: Mapping[str, datetime]
) -> tuple[dict[str, dict[str, StoredAlert]], list[StoredAlert]]:
    """Two groups of open alerts. The first group was raised since their profile was added, and is returned by profile
    and kind. The second group concerns an earlier profile with the same id."""
    of_present: dict[str, dict[str, StoredAlert]] = {}
    of_earlier: list[StoredAlert] = []
    for profile_id, alerts in open_alerts.items():
        for kind, alert in alerts.items():
            if alert.raised_at >= added_at[profile_id]:
                of_present.setdefault(profile_id, {})[kind] = alert
            else:
                of_earlier.append(alert)
    return of_present, of_earlier


def differences(
    open_alerts: Mapping[str, StoredAlert], reasons: AlertReasons, now: datetime
) -> tuple[Sequence[NewAlert], Sequence[StoredAlert]]:
    """The alerts to raise, and the open alerts that change.

    An open alert is updated if its evidence is new. An alert whose reason is gone becomes quiet. A quiet alert is
    cleared after the time `quiet_for(kind)`. If its reason comes back earlier, the alert is no longer quiet.
    `open_alerts` and `reasons` belong to one profile, and their keys are kinds of alerts.
    """
    new = [
        NewAlert(kind, reason.severity, reason.evidence, reason.over_since)
        for kind, reason in reasons.items()
        if kind not in open_alerts
    ]
    after = [_after(alert, reasons.get(alert.kind), now) for alert in open_alerts.values()]
    return new, [alert for alert in after if alert != open_alerts[alert.kind]]


def _after(alert: StoredAlert, reason: AlertReason | None, now: datetime) -> StoredAlert:
    if reason is not None:
        return replace(alert, severity=reason.severity, evidence=reason.evidence, quiet_since=reason.over_since)
    quiet_since = alert.quiet_since or now
    is_over = now - quiet_since >= quiet_for(alert.kind)
    return replace(alert, quiet_since=quiet_since, cleared_at=now if is_over else None)
