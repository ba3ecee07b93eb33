"""Progress: turns the outcomes of a message into the parts of a bar, and explains one delivery in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.core.api_models import ApiMessage
from console.core.profile_table import BOUNDS, Tone

PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("read", ("read",)),
    ("delivered", ("delivered",)),
    ("sent", ("sent",)),
    ("released", ("released",)),
    ("failed", ("failed", "rejected", "unknown")),
    ("off", ("expired", "cancelled", "suppressed")),
)
"""The coloured parts of the bar, and the outcomes that each part counts. Waiting deliveries have no colour."""

TONES: Mapping[str, Tone] = {
    "read": "good", "delivered": "good", "sent": "good", "completed": "good", "failed": "bad", "rejected": "bad",
    "unknown": "warn", "expired": "warn", "suppressed": "warn", "cancelled": "off", "held": "off", "queued": "off",
}  # fmt: skip


def tone(status: str) -> Tone:
    return TONES.get(status, "unknown")


def parts(message: ApiMessage) -> list[tuple[str, int]]:
    return [(name, sum(message.counts.get(outcome, 0) for outcome in outcomes)) for name, outcomes in PARTS]


def done(message: ApiMessage) -> int:
    """The number of deliveries that are neither held nor released. They were sent, or they ended without being sent."""
    return message.recipients - message.counts.get("held", 0) - message.counts.get("released", 0)


def is_cancellable(message: ApiMessage) -> bool:
    return message.lane == "open" and message.counts.get("held", 0) > 0 and message.cancel_requested_at is None


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    words: str
    is_now: bool = False


def explanation_steps(explained: Mapping[str, Any], names: Mapping[str, str]) -> list[ExplanationStep]:
    """The decisions about a delivery and their reasons, as sentences. `names` has the profiles' names by id."""
    routing, pacing = explained.get("routing") or {}, explained.get("pacing") or {}
    return [*_routed(explained, routing, names), *_paced(pacing), *_ended(explained)]


def _routed(
    explained: Mapping[str, Any], routing: Mapping[str, Any], names: Mapping[str, str]
) -> list[ExplanationStep]:
    if note := routing.get("note"):
        return [ExplanationStep(f"Routing: {note}.")]
    profile_id = explained.get("profile_id") or routing.get("profile_id")
    steps = []
    if refused := routing.get("refused"):
        steps.append(ExplanationStep(f"No profile could take it: {refused}."))
    elif waiting := routing.get("waiting"):
        steps.append(ExplanationStep(f"When it was accepted, {waiting}."))
        if profile_id:
            steps.append(ExplanationStep(f"Now it is with {names.get(profile_id, profile_id)}."))
        return steps
    elif profile_id:
        strategy = str(routing.get("strategy", "")).replace("_", " ")
        why = (routing.get("reasons") or {}).get(profile_id)
        because = f" Why this one: {why}." if why else ""
        steps.append(ExplanationStep(f"{names.get(profile_id, profile_id)} was chosen, by {strategy}.{because}"))
    passed = [f"{names.get(skipped, skipped)} ({why})" for skipped, why in (routing.get("passed_over") or {}).items()]
    if passed:
        steps.append(ExplanationStep(f"Passed over: {', '.join(passed)}."))
    return steps


def _paced(pacing: Mapping[str, Any]) -> list[ExplanationStep]:
    if not pacing or pacing.get("note"):
        return [ExplanationStep(f"Pacing: {pacing['note']}.")] if pacing.get("note") else []
    steps = []
    if timing := pacing.get("timing"):
        steps.append(ExplanationStep(f"Timing: {timing if isinstance(timing, str) else timing.get('reason', timing)}."))
    if put_off := pacing.get("put_off_by"):
        steps.append(ExplanationStep(f"Put off by: {put_off}."))
    if pacing.get("state") == "held":
        if since := pacing.get("waiting_since"):
            steps.append(ExplanationStep(f"It has no profile since {str(since)[:19].replace('T', ' ')} UTC."))
        elif pacing.get("ahead"):
            steps.append(ExplanationStep(f"{pacing['ahead']} are ahead of it in the profile's queue."))
        bound = str(pacing.get("bound") or "")
        words = pacing.get("why") or f"The profile's next release waits for {BOUNDS.get(bound, bound)}."
        steps.append(ExplanationStep(words, is_now=True))
    elif pacing.get("released_at"):
        steps.append(ExplanationStep(f"Released at {str(pacing['released_at'])[:19].replace('T', ' ')} UTC."))
    return steps


def _ended(explained: Mapping[str, Any]) -> list[ExplanationStep]:
    status, reason = explained.get("status"), explained.get("reason")
    if status == "held":
        return []
    attempts = f" at attempt {explained['attempt']}" if explained.get("attempt", 1) > 1 else ""
    because = f": {reason}" if reason else ""
    return [ExplanationStep(f"It is {status}{attempts}{because}.", is_now=True)]
