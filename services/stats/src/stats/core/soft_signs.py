"""Soft sign: evidence in the counts that makes a block probable, although no gateway has reported one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stats.core.evidence import Evidence
from stats.core.shares import Prior, Share, probability_below

SENDS_MIN = 8
CERTAINTY = 0.95
FALLEN_TO = 0.5
"""A delivered share below half of the usual share is a sign."""
REPLIES_FALLEN_TO = 0.25
DELIVERED = Prior(0.9, 20)
ANSWERED = Prior(0.1, 20)
RUN_MIN = 5
COLD_FAILED_MIN = 2
STUCK_MIN = 3
STUCK_SHARE = 0.25
UNACKNOWLEDGED_MIN = 5


@dataclass(frozen=True, slots=True)
class SoftSign:
    kind: str
    evidence: str


def soft_signs(evidence: Evidence) -> list[SoftSign]:
    results = ((kind, check(evidence)) for kind, check in CHECKS.items())
    return [SoftSign(kind, text) for kind, text in results if text is not None]


def _delivered_share(evidence: Evidence) -> str | None:
    usual = DELIVERED.sharpened(evidence.baseline.delivered).sharpened(evidence.delivered_before).share
    for span, seen in (("3 hours", evidence.delivered_lately), ("24 hours", evidence.delivered)):
        if _has_fallen(seen, usual * FALLEN_TO):
            return (
                f"{seen.text} sent over an hour ago were delivered ({span}); usual are {usual:.0%}: "
                f"under half of that, with {CERTAINTY:.0%} certainty"
            )
    return None


def _undelivered_run(evidence: Evidence) -> str | None:
    run = evidence.misses_in_a_row
    return f"the last {run} messages to people who used to get them were not delivered" if run >= RUN_MIN else None


def _reply_share(evidence: Evidence) -> str | None:
    usual = ANSWERED.sharpened(evidence.baseline.answered).sharpened(evidence.answered_before).share
    if not _has_fallen(evidence.answered, usual * REPLIES_FALLEN_TO):
        return None
    return (
        f"{evidence.answered.text} delivered open messages were answered in 24 hours; usual are {usual:.0%}: "
        f"under a quarter of that, with {CERTAINTY:.0%} certainty"
    )


def _cold_sends(evidence: Evidence) -> str | None:
    fails = evidence.cold_failed >= COLD_FAILED_MIN and evidence.cold_delivered == 0
    passes = evidence.warm_delivered >= 1 and evidence.warm_failed == 0
    if not (fails and passes):
        return None
    return (
        f"in the last hour {evidence.cold_failed} messages to new contacts failed and none arrived, while "
        f"{evidence.warm_delivered} to others arrived: WhatsApp seems to let it open no chats"
    )


def _stuck(evidence: Evidence) -> str | None:
    stuck = evidence.stuck
    if stuck.hits < STUCK_MIN or stuck.hits < STUCK_SHARE * stuck.trials:
        return None
    return f"{stuck.text} sends of the last hour were taken by the gateway and not by WhatsApp within 2 minutes"


def _silent(evidence: Evidence) -> str | None:
    if evidence.unacknowledged_in_a_row < UNACKNOWLEDGED_MIN or evidence.account.session not in (None, "working"):
        return None
    return f"the session says that it works, but nothing was heard of its last {evidence.unacknowledged_in_a_row} sends"


def _has_fallen(seen: Share, bound: float) -> bool:
    return seen.trials >= SENDS_MIN and probability_below(seen, bound) > CERTAINTY


CHECKS: Mapping[str, Callable[[Evidence], str | None]] = {
    "delivered_share": _delivered_share,
    "undelivered_run": _undelivered_run,
    "reply_share": _reply_share,
    "cold_sends": _cold_sends,
    "stuck": _stuck,
    "silent": _silent,
}
CLOSING = frozenset({"cold_sends", "stuck", "silent"})
"""The kinds that close the open lane, as a gateway's report would."""
