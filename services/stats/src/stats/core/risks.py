"""Risk: a sending habit that gets accounts blocked. It can be seen before an account is blocked."""

import statistics
from collections.abc import Callable, Mapping
from itertools import pairwise

from spreader.contract.events import RiskyPattern
from spreader.text.fingerprint import is_similar
from stats.core.evidence import Evidence

LAST = 50
GAPS_VARIATION_MIN = 0.15
SAME_SHARE_MAX = 0.8
NEW_SHARE_MAX, NEW_ANSWERED_MIN, NEW_SENDS_MIN = 0.9, 0.02, 50
HOUR_SHARE_MAX = 0.25
INVALID_SHARE_MAX, INVALID_TRIALS_MIN = 0.1, 20
NIGHT_SHARE_MAX, NIGHT_SENDS_MIN = 0.5, 20
"""A profile with the default rest window works 20 hours a day, of which at most 6 are a recipient's night. So the
defaults alone reach 30 % at most, wherever the recipients live."""


def risks(evidence: Evidence) -> tuple[RiskyPattern, ...]:
    results = ((kind, check(evidence)) for kind, check in CHECKS.items())
    return tuple(RiskyPattern(kind=kind, evidence=text) for kind, text in results if text is not None)


def _even_gaps(evidence: Evidence) -> str | None:
    if len(evidence.open_sent_at) <= LAST:
        return None
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(evidence.open_sent_at[: LAST + 1])]
    mean = statistics.fmean(gaps)
    variation = statistics.pstdev(gaps) / mean if mean > 0 else 0.0
    if variation >= GAPS_VARIATION_MIN:
        return None
    return f"the last {LAST} gaps are all near {mean:.0f} s (they vary by {variation:.0%}): people are less regular"


def _same_text(evidence: Evidence) -> str | None:
    fingerprints = evidence.fingerprints[:LAST]
    if len(fingerprints) < LAST:
        return None
    alike = max(sum(is_similar(one, other) for other in fingerprints) for one in set(fingerprints))
    if alike <= SAME_SHARE_MAX * LAST:
        return None
    return f"{alike} of the last {LAST} open messages say nearly the same"


def _cold_unanswered(evidence: Evidence) -> str | None:
    new, answered = evidence.new_contacts, evidence.answered_week
    if new.trials < NEW_SENDS_MIN or new.hits <= NEW_SHARE_MAX * new.trials:
        return None
    if answered.hits >= NEW_ANSWERED_MIN * new.trials:
        return None
    return f"{new.text} open messages of 7 days went to new contacts, and {answered.hits} were answered"


def _crowded_hour(evidence: Evidence) -> str | None:
    if evidence.hour_open <= HOUR_SHARE_MAX * evidence.per_day:
        return None
    return f"{evidence.hour_open} open messages in one hour are over a quarter of a day's {evidence.per_day}"


def _invalid_numbers(evidence: Evidence) -> str | None:
    invalid = evidence.invalid
    if invalid.trials < INVALID_TRIALS_MIN or invalid.hits <= INVALID_SHARE_MAX * invalid.trials:
        return None
    return f"{invalid.text} numbers of 24 hours cannot be written to: the list of recipients is a bad one"


def _night(evidence: Evidence) -> str | None:
    night = evidence.night
    if night.trials < NIGHT_SENDS_MIN or night.hits <= NIGHT_SHARE_MAX * night.trials:
        return None
    return f"{night.text} messages in 24 h reached people at night (0:00 to 6:00). Turn on quiet hours."


CHECKS: Mapping[str, Callable[[Evidence], str | None]] = {
    "even_gaps": _even_gaps,
    "same_text": _same_text,
    "cold_unanswered": _cold_unanswered,
    "crowded_hour": _crowded_hour,
    "invalid_numbers": _invalid_numbers,
    "night": _night,
}
