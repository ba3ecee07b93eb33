"""Health: how well a profile is, 0 to 100: a weighted mean of five parts, each with its evidence."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from spreader.contract.events import Health, HealthReason
from stats.core.evidence import Evidence
from stats.core.shares import Prior
from stats.core.soft import ANSWERED, DELIVERED, Soft

WEIGHTS: Mapping[str, int] = {"delivered": 30, "block signals": 30, "replies": 20, "failures": 10, "connection": 10}

STRENGTH = 10.0
"""So many messages weigh as much as what the package leads to expect."""
FAILED = Prior(0.02, 20)
HALF_LIFE = timedelta(hours=24)
SEVERITY: Mapping[str, float] = {
    "account": 1.0, "restricted": 1.0, "cold_sends": 0.8, "profile": 0.6, "silent": 0.5, "stuck": 0.4, "quota": 0.3,
    "delivered_share": 0.7, "undelivered_run": 0.6, "reply_share": 0.3,
}  # fmt: skip
"""How much of the block signals' part one of them takes when it is fresh; it fades by half a day by day."""
FELT_MIN = 0.05
"""What has faded below that is not told any more."""
REPLIES_EXPECTED_MIN = 0.01
"""Where customers answer less than that, a profile is not judged by it."""
CONNECTION: Mapping[str, float] = {"working": 1.0, "starting": 0.5, "stopped": 0.0, "unlinked": 0.0, "failed": 0.0}
CAPS: Mapping[str, int] = {"yellow": 60, "red": 30}
"""By the gateway's own rating of the number."""

WARN_UNDER, PAUSE_UNDER, BACK_AT = 60, 40, 55
PAUSED_FOR = timedelta(hours=6)

Band = Literal["good", "warning", "paused"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether the open lane is paused by health; `since` None: it is not."""

    since: datetime | None = None

    def after(self, score: int, now: datetime) -> "Pause":
        """Paused from under 40 until it has been back at 55, and 6 hours have passed."""
        if self.since is None:
            return Pause(now) if score < PAUSE_UNDER else self
        return Pause() if score >= BACK_AT and now - self.since >= PAUSED_FOR else self


def band(score: int, pause: Pause) -> Band:
    if pause.since is not None:
        return "paused"
    return "warning" if score < WARN_UNDER else "good"


def health(evidence: Evidence, soft: Collection[Soft], pause: Pause, now: datetime) -> Health:
    """Before `pause` is asked: the score of this moment decides it too (see `stats.core.condition`)."""
    parts = (
        _delivered(evidence), _block_signals(evidence, soft, now), _replies(evidence), _failures(evidence),
        _connection(evidence),
    )  # fmt: skip
    mean = sum(part.weight * part.share for part in parts) / sum(WEIGHTS.values())
    score, capped_by = round(100 * mean), None
    cap = CAPS.get(evidence.reported.quality or "")
    if cap is not None and score > cap:
        score, capped_by = cap, f"the gateway rates the number {evidence.reported.quality}: at most {cap}"
    return Health(score=score, band=band(score, pause), capped_by=capped_by, reasons=parts)


def _reason(name: str, share: float, evidence: str) -> HealthReason:
    return HealthReason(name=name, weight=WEIGHTS[name], share=round(min(max(share, 0.0), 1.0), 2), evidence=evidence)


def _delivered(evidence: Evidence) -> HealthReason:
    usual = Prior(DELIVERED.sharpened(evidence.usual.delivered).share, STRENGTH)
    seen = evidence.delivered
    words = f"{seen.text} sent over an hour ago were delivered (24 hours); usual in the package are {usual.share:.0%}"
    return _reason("delivered", usual.smoothed(seen), words if seen.trials else "nothing was sent in 24 hours")


def _block_signals(evidence: Evidence, soft: Collection[Soft], now: datetime) -> HealthReason:
    known = {each.kind: (each.since, each.evidence) for each in sorted(evidence.closures, key=lambda each: each.since)}
    known |= {each.kind: (now, each.evidence) for each in soft}
    weights = {
        kind: SEVERITY[kind] * 0.5 ** (max(now - since, timedelta(0)) / HALF_LIFE)
        for kind, (since, _) in known.items()
        if kind in SEVERITY
    }
    felt = [f"{kind.replace('_', ' ')}: {known[kind][1]}" for kind, weight in weights.items() if weight >= FELT_MIN]
    return _reason("block signals", 1 - sum(weights.values()), "; ".join(felt) or "none")


def _replies(evidence: Evidence) -> HealthReason:
    usual = Prior(ANSWERED.sharpened(evidence.usual.answered).share, STRENGTH)
    if usual.share < REPLIES_EXPECTED_MIN:
        return _reason("replies", 1.0, "the package's customers hardly ever answer: it is not judged by that")
    seen = evidence.answered
    words = f"{seen.text} delivered open messages were answered (24 hours); usual in the package are {usual.share:.0%}"
    share = usual.smoothed(seen) / usual.share
    return _reason("replies", share, words if seen.trials else "no open message was delivered in 24 hours")


def _failures(evidence: Evidence) -> HealthReason:
    seen = evidence.failed
    words = f"{seen.text} failed for reasons of the profile's (24 hours)"
    return _reason("failures", 1 - FAILED.smoothed(seen), words if seen.trials else "nothing was sent in 24 hours")


def _connection(evidence: Evidence) -> HealthReason:
    session = evidence.reported.session
    if session is None:
        return _reason("connection", 1.0, "the gateway has not spoken of its session")
    return _reason("connection", CONNECTION[session], f"the gateway says that the session is {session}")
