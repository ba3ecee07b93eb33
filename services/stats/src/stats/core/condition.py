"""Condition: the result of a profile's last evaluation, and the step from one evaluation to the next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from spreader.contract.events import Health, RiskyPattern
from stats.core.alerts import BLOCK_SIGNALS, CUTTING, AlertReasons, alert_reasons, weakest
from stats.core.closures import Sign
from stats.core.evidence import Evidence
from stats.core.health import Pause, band, health
from stats.core.limit_factor import LimitFactor
from stats.core.risks import risks
from stats.core.soft_signs import CLOSING, soft_signs

NEVER = datetime.min.replace(tzinfo=UTC)


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

    `open_alerts`: the kinds of its open alerts. A sign without an open alert of its kind begins a new incident.
    """
    soft = soft_signs(evidence)
    before = known or _first_condition(now)
    evaluated = health(evidence, soft, before.pause, now)
    pause = before.pause.after(evaluated.score, now)
    evaluated = evaluated.model_copy(update={"band": band(evaluated.score, pause, before.health.band)})
    found = risks(evidence)
    signalled_at = now if known is None else known.signalled_at
    reasons = alert_reasons(evidence, evaluated, found, soft, open_alerts, signalled_at, now)
    factor = _factor(before.factor, reasons, open_alerts, now)
    if before.pause.since is not None and pause.since is None:
        factor = factor.eased(now)
    condition = Condition(evaluated, found, pause, factor, now, _signalled_at(before, evidence))
    signs = [Sign(profile_id, sign.kind, ("open",), now, sign.evidence) for sign in soft if sign.kind in CLOSING]
    return Evaluation(condition, signs, reasons, _changes(before, condition))


def _first_condition(now: datetime) -> Condition:
    return Condition(Health(score=100, band="good"), (), Pause(), LimitFactor(), now)


def _factor(before: LimitFactor, reasons: AlertReasons, open_alerts: Collection[str], now: datetime) -> LimitFactor:
    """The factor after this evaluation. A sign halves it only at the beginning of an incident."""
    signs = {kind: reason for kind, reason in reasons.items() if kind in CUTTING}
    new = [reason.evidence for kind, reason in signs.items() if kind not in open_alerts]
    if new:
        return before.recovered(now).halved(new[0], now)
    if any(reason.over_since is None for reason in signs.values()):
        return replace(before, stepped_at=now)  # a day with a signal is not a clean day
    return before.recovered(now)


def _signalled_at(before: Condition, evidence: Evidence) -> datetime:
    """The start of the newest block signal. `now` would be too late: a closure that began before `now` may be reported
    after `now`."""
    since = (closure.since for closure in evidence.closures if closure.kind in BLOCK_SIGNALS)
    return max((before.signalled_at, *since))


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
