"""Alert: what a person should know of a profile, from when it is raised until it is cleared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from spreader.contract.events import Alert
from stats.core.condition import Alarms, Severity

State = Literal["raised", "acknowledged", "cleared"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert as it is kept. One of a kind is open at a time for a profile."""

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
    def state(self) -> State:
        if self.cleared_at is not None:
            return "cleared"
        return "raised" if self.acknowledged_at is None else "acknowledged"

    @property
    def event(self) -> Alert:
        return Alert(
            alert_id=self.alert_id, profile_id=self.profile_id, package_id=self.package_id, kind=self.kind,
            severity=self.severity, state=self.state, evidence=self.evidence, by=self.acknowledged_by,
            at=self.cleared_at or self.acknowledged_at or self.raised_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class New:
    """An alert that is to be raised; whoever keeps it gives it an id."""

    kind: str
    severity: Severity
    evidence: str


def differences(known: Mapping[str, Kept], alarms: Alarms, now: datetime) -> tuple[Sequence[New], Sequence[Kept]]:
    """What to raise, and what to change of the open ones (`known`, by kind): new evidence, or nothing left of it."""
    new = [New(kind, alarm.severity, alarm.evidence) for kind, alarm in alarms.items() if kind not in known]
    changed: list[Kept] = []
    for kind, kept in known.items():
        alarm = alarms.get(kind)
        if alarm is None:
            changed.append(replace(kept, cleared_at=now))
        elif (alarm.severity, alarm.evidence) != (kept.severity, kept.evidence):
            changed.append(replace(kept, severity=alarm.severity, evidence=alarm.evidence))
    return new, changed
