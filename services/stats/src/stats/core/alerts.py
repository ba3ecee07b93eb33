"""Alert: a condition of a profile that a person should know about, from raised to cleared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from spreader.contract.events import Alert
from stats.core.condition import AlertReasons, Severity

AlertState = Literal["raised", "acknowledged", "cleared"]


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


def differences(
    open_alerts: Mapping[str, StoredAlert], reasons: AlertReasons, now: datetime
) -> tuple[Sequence[NewAlert], Sequence[StoredAlert]]:
    """The alerts to raise, and the open alerts that change. An open alert is updated if its evidence is new, and
    cleared if its reason is gone.

    `open_alerts` and `reasons` are of one profile, by kind.
    """
    new = [
        NewAlert(kind, reason.severity, reason.evidence) for kind, reason in reasons.items() if kind not in open_alerts
    ]
    changed: list[StoredAlert] = []
    for kind, alert in open_alerts.items():
        reason = reasons.get(kind)
        if reason is None:
            changed.append(replace(alert, cleared_at=now))
        elif (reason.severity, reason.evidence) != (alert.severity, alert.evidence):
            changed.append(replace(alert, severity=reason.severity, evidence=reason.evidence))
    return new, changed
