"""Condition: how a profile stands by stats' own judgement, and the step from one judgement to the next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from spreader.contract.events import Health, RiskyPattern
from stats.core.closures import Sign
from stats.core.evidence import Evidence
from stats.core.factor import Factor
from stats.core.health import Pause, band, health
from stats.core.risks import risks
from stats.core.soft import CLOSING, Soft, soft_signs

NEVER = datetime.min.replace(tzinfo=UTC)
Severity = Literal["warning", "critical"]

BLOCK_SIGNALS = frozenset({"restricted", "profile", "account"})
"""Closures by a gateway's word that halve the factor; the soft signs do as well."""
PERSON_NEEDED = frozenset({"restricted", "profile", "account", "credentials", "session"})


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person should know of."""

    severity: Severity
    evidence: str


Alarms = Mapping[str, Alarm]
"""By kind; one kind at a time for a profile."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed without a person."""

    what: str
    before: str
    after: str
    cause: str


@dataclass(frozen=True, slots=True)
class Condition:
    health: Health
    risks: tuple[RiskyPattern, ...]
    pause: Pause
    factor: Factor
    at: datetime
    signalled_at: datetime = NEVER
    """When the newest closure began that the factor has felt."""


@dataclass(frozen=True, slots=True)
class Judgement:
    condition: Condition
    signs: Sequence[Sign]
    """Soft signs that close lanes, as a gateway's own word would."""
    alarms: Alarms
    changes: Sequence[Change]


def judge(
    profile_id: str, evidence: Evidence, known: Condition | None, alarmed: Collection[str], now: datetime
) -> Judgement:
    """The next condition. `alarmed`: the kinds of alert that are open: what is new among the signs is not in them."""
    soft = soft_signs(evidence)
    before = known or _at_first(now)
    seen = health(evidence, soft, before.pause, now)
    pause = before.pause.after(seen.score, now)
    well = seen.model_copy(update={"band": band(seen.score, pause)})
    factor = _factor(known, evidence, soft, alarmed, now)
    if before.pause.since is not None and pause.since is None:
        factor = factor.eased(now)
    condition = Condition(well, risks(evidence), pause, factor, now, _signalled_at(before, evidence))
    found = [Sign(profile_id, each.kind, ("open",), now, each.evidence) for each in soft if each.kind in CLOSING]
    return Judgement(condition, found, alarms(evidence, condition, soft, now), _changes(before, condition))


def alarms(evidence: Evidence, condition: Condition, soft: Collection[Soft], now: datetime) -> dict[str, Alarm]:
    found: dict[str, Alarm] = {each.kind: Alarm("warning", each.evidence) for each in condition.risks}
    found |= {each.kind: Alarm("critical", each.evidence) for each in soft}
    for closure in evidence.closures:
        if closure.in_force(now):
            severity: Severity = "critical" if closure.kind in PERSON_NEEDED else "warning"
            found.setdefault(closure.kind, Alarm(severity, closure.evidence))
    reported, well = evidence.reported, condition.health
    if reported.quality in ("yellow", "red"):
        severity = "critical" if reported.quality == "red" else "warning"
        found["quality"] = Alarm(severity, f"the gateway rates the number {reported.quality}")
    if reported.quota is not None and reported.quota.warning in ("first", "second"):
        words = f"WhatsApp has counted {reported.quota.used} of {reported.quota.total} new chats"
        found["quota_warning"] = Alarm("warning", words)
    if well.band == "warning":
        found["health"] = Alarm("warning", f"health is {well.score}: {weakest(well)}")
    if well.band == "paused":
        found["health_paused"] = Alarm("critical", f"open chat is paused, health is {well.score}: {weakest(well)}")
    return found


def weakest(well: Health) -> str:
    """The part that costs most, or the cap that costs more."""
    if well.capped_by is not None:
        return well.capped_by
    if not well.reasons:
        return "nothing is known of it"
    costliest = max(well.reasons, key=lambda each: each.weight * (1 - each.share))
    return f"{costliest.name}: {costliest.evidence}"


def _at_first(now: datetime) -> Condition:
    return Condition(Health(score=100, band="good"), (), Pause(), Factor(), now)


def _factor(
    known: Condition | None, evidence: Evidence, soft: Collection[Soft], alarmed: Collection[str], now: datetime
) -> Factor:
    before = known or _at_first(now)
    hard = [each for each in evidence.closures if each.kind in BLOCK_SIGNALS]
    new = [each for each in hard if each.kind not in alarmed and each.in_force(now)]
    new += [each for each in hard if known is not None and each.since > before.signalled_at]
    causes = [each.evidence for each in (*new, *(each for each in soft if each.kind not in alarmed))]
    if causes:
        return before.factor.recovered(now).halved(causes[0], now)
    if soft or any(each.in_force(now) for each in hard):
        return replace(before.factor, stepped_at=now)  # no clean day while a signal lasts
    return before.factor.recovered(now)


def _signalled_at(before: Condition, evidence: Evidence) -> datetime:
    """Not the moment of the judgement: a closure may be heard of later than it began."""
    since = (each.since for each in evidence.closures if each.kind in BLOCK_SIGNALS)
    return max(since, default=before.signalled_at)


def _changes(before: Condition, after: Condition) -> list[Change]:
    found: list[Change] = []
    if before.factor.value != after.factor.value:
        cause = after.factor.cause or "a clean day"
        if after.factor.value > before.factor.value:
            cause = "clean days: no block signal"
        found.append(Change("limit factor", f"{before.factor.value:g}", f"{after.factor.value:g}", cause))
    if before.health.band != after.health.band:
        cause = f"{after.health.score}: {weakest(after.health)}"
        found.append(Change("health", before.health.band, after.health.band, cause))
    return found
