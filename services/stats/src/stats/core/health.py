"""Health: a score of 0 to 100 for a profile. It is a weighted mean of five components, each with its evidence."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from spreader.contract.events import Health, HealthReason
from stats.core.evidence import Evidence
from stats.core.shares import Prior
from stats.core.soft_signs import ANSWERED, DELIVERED, SoftSign

WEIGHTS: Mapping[str, int] = {"delivered": 30, "block signals": 30, "replies": 20, "failures": 10, "connection": 10}

STRENGTH = 10.0
"""The package's baseline weighs as much as this many messages of the profile."""
FAILED = Prior(0.02, 20)
HALF_LIFE = timedelta(hours=24)
SEVERITY: Mapping[str, float] = {
    "account": 1.0, "restricted": 1.0, "cold_sends": 0.8, "profile": 0.6, "silent": 0.5, "stuck": 0.4, "quota": 0.3,
    "delivered_share": 0.7, "undelivered_run": 0.6, "reply_share": 0.3,
}  # fmt: skip
"""How much a new block signal of each kind takes from the component `block signals`. This effect halves every 24
hours."""
SHOWN_MIN = 0.05
"""A block signal whose effect has faded below this is left out of the evidence text."""
REPLIES_EXPECTED_MIN = 0.01
"""In a package where customers answer a smaller share of messages than this, replies do not count."""
CONNECTION: Mapping[str, float] = {"working": 1.0, "starting": 0.5, "stopped": 0.0, "unlinked": 0.0, "failed": 0.0}
CAPS: Mapping[str, int] = {"yellow": 60, "red": 30}
"""The highest score for each quality that the gateway reports."""

WARN_UNDER, CALM_AT, PAUSE_UNDER, BACK_AT = 60, 65, 40, 55
PAUSED_FOR = timedelta(hours=6)

Band = Literal["good", "warning", "paused"]


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of the open lane by health. If `since` is None, the lane is not paused."""

    since: datetime | None = None

    def after(self, score: int, now: datetime) -> "Pause":
        """The pause after an evaluation with this score. A pause begins at a score under 40. It ends when the score is
        back at 55 and the pause has lasted 6 hours."""
        if self.since is None:
            return Pause(now) if score < PAUSE_UNDER else self
        return Pause() if score >= BACK_AT and now - self.since >= PAUSED_FOR else self


def band(score: int, pause: Pause, before: Band = "good") -> Band:
    """The band of a score. `before`: the band of the last evaluation. A warning begins under 60 and ends at 65. So a
    score that moves between 59 and 60 does not change the band again and again."""
    if pause.since is not None:
        return "paused"
    return "warning" if score < (CALM_AT if before == "warning" else WARN_UNDER) else "good"


def health(evidence: Evidence, soft: Collection[SoftSign], pause: Pause, now: datetime) -> Health:
    """The health that follows from the evidence. `pause` is the pause before this evaluation. `stats.core.condition`
    derives the next pause from the result."""
    components = (
        _delivered(evidence),
        _block_signals(evidence, soft, now),
        _replies(evidence),
        _failures(evidence),
        _connection(evidence),
    )
    mean = sum(component.weight * component.share for component in components) / sum(WEIGHTS.values())
    score, capped_by = round(100 * mean), None
    cap = CAPS.get(evidence.account.quality or "")
    if cap is not None and score > cap:
        score, capped_by = cap, f"the gateway rates the number {evidence.account.quality}: at most {cap}"
    return Health(score=score, band=band(score, pause), capped_by=capped_by, reasons=components)


def _component(name: str, share: float, evidence: str) -> HealthReason:
    return HealthReason(name=name, weight=WEIGHTS[name], share=round(min(max(share, 0.0), 1.0), 2), evidence=evidence)


def _delivered(evidence: Evidence) -> HealthReason:
    usual = Prior(DELIVERED.sharpened(evidence.baseline.delivered).share, STRENGTH)
    seen = evidence.delivered
    text = f"{seen.text} sent over an hour ago were delivered (24 hours); usual in the package are {usual.share:.0%}"
    return _component("delivered", usual.smoothed(seen), text if seen.trials else "nothing was sent in 24 hours")


def _block_signals(evidence: Evidence, soft: Collection[SoftSign], now: datetime) -> HealthReason:
    by_age = sorted(evidence.closures, key=lambda closure: closure.since)
    signals = {closure.kind: (closure.since, closure.evidence) for closure in by_age}
    signals |= {sign.kind: (now, sign.evidence) for sign in soft}
    weights = {
        kind: SEVERITY[kind] * 0.5 ** (max(now - since, timedelta(0)) / HALF_LIFE)
        for kind, (since, _) in signals.items()
        if kind in SEVERITY
    }
    shown = [f"{kind.replace('_', ' ')}: {signals[kind][1]}" for kind, weight in weights.items() if weight >= SHOWN_MIN]
    return _component("block signals", 1 - sum(weights.values()), "; ".join(shown) or "none")


def _replies(evidence: Evidence) -> HealthReason:
    usual = Prior(ANSWERED.sharpened(evidence.baseline.answered).share, STRENGTH)
    if usual.share < REPLIES_EXPECTED_MIN:
        return _component("replies", 1.0, "the package's customers hardly ever answer: it is not judged by that")
    seen = evidence.answered
    text = f"{seen.text} delivered open messages were answered (24 hours); usual in the package are {usual.share:.0%}"
    share = usual.smoothed(seen) / usual.share
    return _component("replies", share, text if seen.trials else "no open message was delivered in 24 hours")


def _failures(evidence: Evidence) -> HealthReason:
    seen = evidence.failed
    text = f"{seen.text} failed for reasons of the profile's (24 hours)"
    return _component("failures", 1 - FAILED.smoothed(seen), text if seen.trials else "nothing was sent in 24 hours")


def _connection(evidence: Evidence) -> HealthReason:
    session = evidence.account.session
    if session is None:
        return _component("connection", 1.0, "the gateway has not spoken of its session")
    return _component("connection", CONNECTION[session], f"the gateway says that the session is {session}")
