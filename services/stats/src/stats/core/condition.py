"""Condition: the result of a profile's last evaluation, and the step from one evaluation to the next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from spreader.contract.events import Health, RiskyPattern
from stats.core.closures import Sign
from stats.core.evidence import Evidence
from stats.core.health import Pause, band, health
from stats.core.limit_factor import LimitFactor
from stats.core.risks import risks
from stats.core.soft_signs import CLOSING, SoftSign, soft_signs

NEVER = datetime.min.replace(tzinfo=UTC)
Severity = Literal["warning", "critical"]

BLOCK_SIGNALS = frozenset({"restricted", "profile", "account"})
"""The kinds of reported closures that halve the limit factor. Soft signs halve it as well."""
PERSON_NEEDED = frozenset({"restricted", "profile", "account", "credentials", "session"})


@dataclass(frozen=True, slots=True)
class AlertReason:
    """Why a profile needs an alert now."""

    severity: Severity
    evidence: str


AlertReasons = Mapping[str, AlertReason]
"""The reason for each kind of alert."""


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """A change that the system made to a profile by itself, for the list of changes."""

    what: str
    before: str
    after: str
    cause: str


@dataclass(frozen=True, slots=True)
class Condition:
    health: Health
    risks: tuple[RiskyPattern, ...]
    pause: Pause
    factor: LimitFactor
    at: datetime
    signalled_at: datetime = NEVER
    """The start of the newest closure that has already lowered the limit factor."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    condition: Condition
    signs: Sequence[Sign]
    """Soft signs that close lanes, as a gateway's report would."""
    alert_reasons: AlertReasons
    changes: Sequence[ProfileChange]


def evaluate(
    profile_id: str, evidence: Evidence, known: Condition | None, open_alerts: Collection[str], now: datetime
) -> Evaluation:
    """The next condition of a profile.

    `open_alerts`: the kinds of its open alerts. A sign without an open alert of its kind is new.
    """
    soft = soft_signs(evidence)
    before = known or _first_condition(now)
    evaluated = health(evidence, soft, before.pause, now)
    pause = before.pause.after(evaluated.score, now)
    evaluated = evaluated.model_copy(update={"band": band(evaluated.score, pause)})
    factor = _factor(known, evidence, soft, open_alerts, now)
    if before.pause.since is not None and pause.since is None:
        factor = factor.eased(now)
    condition = Condition(evaluated, risks(evidence), pause, factor, now, _signalled_at(before, evidence))
    signs = [Sign(profile_id, sign.kind, ("open",), now, sign.evidence) for sign in soft if sign.kind in CLOSING]
    return Evaluation(condition, signs, alert_reasons(evidence, condition, soft, now), _changes(before, condition))


def alert_reasons(
    evidence: Evidence, condition: Condition, soft: Collection[SoftSign], now: datetime
) -> dict[str, AlertReason]:
    reasons = {risk.kind: AlertReason("warning", risk.evidence) for risk in condition.risks}
    reasons |= {sign.kind: AlertReason("critical", sign.evidence) for sign in soft}
    for closure in evidence.closures:
        if closure.in_force(now):
            severity: Severity = "critical" if closure.kind in PERSON_NEEDED else "warning"
            reasons.setdefault(closure.kind, AlertReason(severity, closure.evidence))
    account, evaluated = evidence.account, condition.health
    if account.quality in ("yellow", "red"):
        severity = "critical" if account.quality == "red" else "warning"
        reasons["quality"] = AlertReason(severity, f"the gateway rates the number {account.quality}")
    if account.quota is not None and account.quota.warning in ("first", "second"):
        text = f"WhatsApp has counted {account.quota.used} of {account.quota.total} new chats"
        reasons["quota_warning"] = AlertReason("warning", text)
    if evaluated.band == "warning":
        reasons["health"] = AlertReason("warning", f"health is {evaluated.score}: {weakest(evaluated)}")
    if evaluated.band == "paused":
        text = f"open chat is paused, health is {evaluated.score}: {weakest(evaluated)}"
        reasons["health_paused"] = AlertReason("critical", text)
    return reasons


def weakest(evaluated: Health) -> str:
    """What lowers the score most. That is its cap if there is one, and otherwise the component that costs the most
    points."""
    if evaluated.capped_by is not None:
        return evaluated.capped_by
    if not evaluated.reasons:
        return "nothing is known of it"
    costliest = max(evaluated.reasons, key=lambda reason: reason.weight * (1 - reason.share))
    return f"{costliest.name}: {costliest.evidence}"


def _first_condition(now: datetime) -> Condition:
    return Condition(Health(score=100, band="good"), (), Pause(), LimitFactor(), now)


def _factor(
    known: Condition | None,
    evidence: Evidence,
    soft: Collection[SoftSign],
    open_alerts: Collection[str],
    now: datetime,
) -> LimitFactor:
    before = known or _first_condition(now)
    reported = [closure for closure in evidence.closures if closure.kind in BLOCK_SIGNALS]
    new = [closure for closure in reported if closure.kind not in open_alerts and closure.in_force(now)]
    new += [closure for closure in reported if known is not None and closure.since > before.signalled_at]
    causes = [closure.evidence for closure in new]
    causes += [sign.evidence for sign in soft if sign.kind not in open_alerts]
    if causes:
        return before.factor.recovered(now).halved(causes[0], now)
    if soft or any(closure.in_force(now) for closure in reported):
        return replace(before.factor, stepped_at=now)  # a day with a signal is not a clean day
    return before.factor.recovered(now)


def _signalled_at(before: Condition, evidence: Evidence) -> datetime:
    """The start of the newest block signal. It is not `now`, because a closure may be reported after it began."""
    since = (closure.since for closure in evidence.closures if closure.kind in BLOCK_SIGNALS)
    return max(since, default=before.signalled_at)


def _changes(before: Condition, after: Condition) -> list[ProfileChange]:
    changes: list[ProfileChange] = []
    if before.factor.value != after.factor.value:
        cause = after.factor.cause or "a clean day"
        if after.factor.value > before.factor.value:
            cause = "clean days: no block signal"
        changes.append(ProfileChange("limit factor", f"{before.factor.value:g}", f"{after.factor.value:g}", cause))
    if before.health.band != after.health.band:
        cause = f"{after.health.score}: {weakest(after.health)}"
        changes.append(ProfileChange("health", before.health.band, after.health.band, cause))
    return changes
