"""Progress: turns the outcomes of a message into the parts of a bar, and explains one delivery in sentences."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.core import formats
from console.core.api_models import ApiMessage
from console.core.profile_table import BOUNDS, Tone
from console.core.words.causes import cause, readable

PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("read", ("read",)),
    ("delivered", ("delivered",)),
    ("sent", ("sent",)),
    ("released", ("released",)),
    ("failed", ("failed", "rejected", "unknown")),
    ("off", ("expired", "cancelled", "suppressed")),
)
"""The coloured parts of the bar, and the outcomes that each part counts. Waiting deliveries have no colour."""

_ENDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sent", ("sent", "delivered", "read")),
    ("failed", ("failed", "rejected")),
    ("not known", ("unknown",)),
    ("cancelled", ("cancelled",)),
    ("expired", ("expired",)),
    ("suppressed", ("suppressed",)),
    ("being sent", ("released",)),
    ("waiting", ("held",)),
)
"""What operators call the outcomes, and the outcomes that each name counts."""
_LOST = frozenset({"failed", "not known", "cancelled", "expired", "suppressed"})

STOPS = ("message paused", "package paused", "profile paused", "open lane blocked")
"""The bounds that a person must end."""

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


def finished_words(message: ApiMessage) -> str:
    """What became of the deliveries: `21 sent, 3 failed, 11 979 cancelled, 4 waiting`. Only what exists is named."""
    numbers = _counted(message)
    return ", ".join(f"{formats.count(number)} {name}" for name, number in numbers if number) or "nothing sent yet"


def status_words(message: ApiMessage) -> tuple[str, Tone]:
    """The status of a message in words, and its tone. A finished message is green only if all of it was sent."""
    if message.status != "completed":
        return message.status.replace("_", " "), tone(message.status)
    counts = dict(_counted(message))
    sent = counts.get("sent", 0)
    lost = {name: number for name, number in counts.items() if name in _LOST and number}
    if not lost:
        return "sent", "good"
    most = max(lost, key=lambda name: lost[name])
    tone_ = "bad" if "failed" in lost else "off"
    if sent:
        return f"sent, {formats.count(lost[most])} {most}", "warn" if tone_ == "bad" else "off"
    return most if lost[most] == message.recipients else f"{formats.count(lost[most])} {most}", tone_


def _counted(message: ApiMessage) -> Iterable[tuple[str, int]]:
    return ((name, sum(message.counts.get(outcome, 0) for outcome in outcomes)) for name, outcomes in _ENDS)


def is_cancellable(message: ApiMessage) -> bool:
    return message.lane == "open" and message.counts.get("held", 0) > 0 and message.cancel_requested_at is None


@dataclass(frozen=True, slots=True)
class ExplanationStep:
    words: str
    is_now: bool = False


def explanation_steps(
    explained: Mapping[str, Any], names: Mapping[str, str], zone: str, now: datetime
) -> list[ExplanationStep]:
    """The decisions about a delivery and their reasons, as sentences. `names` has the profiles' names by id. Times are
    by the clock of the package."""
    routing, pacing = explained.get("routing") or {}, explained.get("pacing") or {}
    steps = [*_routed(explained, routing), *_paced(pacing, zone, now), *_ended(explained)]
    return [ExplanationStep(readable(step.words, names, zone, now), step.is_now) for step in steps]


def _routed(explained: Mapping[str, Any], routing: Mapping[str, Any]) -> list[ExplanationStep]:
    if note := routing.get("note"):
        return [ExplanationStep(f"Routing: {note}.")]
    profile_id = explained.get("profile_id") or routing.get("profile_id")
    steps = []
    if refused := routing.get("refused"):
        steps.append(ExplanationStep(f"No phone could take it: {refused}."))
    elif waiting := routing.get("waiting"):
        steps.append(ExplanationStep(f"When it was accepted, {waiting}."))
        if profile_id:
            steps.append(ExplanationStep(f"Now it is with {profile_id}."))
        return steps
    elif profile_id:
        strategy = str(routing.get("strategy", "")).replace("_", " ")
        why = (routing.get("reasons") or {}).get(profile_id)
        by = ": ".join(part for part in (strategy, why) if part)
        steps.append(ExplanationStep(f"{profile_id} was chosen" + (f" ({by})." if by else ".")))
    passed = [f"{skipped} ({why})" for skipped, why in (routing.get("passed_over") or {}).items()]
    if passed:
        steps.append(ExplanationStep(f"Passed over: {', '.join(passed)}."))
    return steps


def _paced(pacing: Mapping[str, Any], zone: str, now: datetime) -> list[ExplanationStep]:
    if not pacing or pacing.get("note"):
        return [ExplanationStep(f"Sending: {pacing['note']}.")] if pacing.get("note") else []
    steps = []
    if timing := pacing.get("timing"):
        steps.append(ExplanationStep(f"Timing: {timing if isinstance(timing, str) else timing.get('reason', timing)}."))
    if put_off := pacing.get("put_off_by"):
        steps.append(ExplanationStep(f"Put off by: {put_off}."))
    if pacing.get("state") == "held":
        if since := pacing.get("waiting_since"):
            steps.append(ExplanationStep(f"It has had no phone since {_when(since, zone, now)}."))
        elif pacing.get("ahead"):
            steps.append(ExplanationStep(f"{formats.count(pacing['ahead'])} messages are ahead of it."))
        steps.append(ExplanationStep(_bound_words(pacing, zone, now), is_now=True))
    elif pacing.get("released_at"):
        steps.append(ExplanationStep(f"Given to the gateway: {_when(pacing['released_at'], zone, now)}."))
    return steps


def _bound_words(pacing: Mapping[str, Any], zone: str, now: datetime) -> str:
    """What holds the delivery now, and until when."""
    bounds: Mapping[str, Any] = pacing.get("bounds") or {}
    stop = next((name for name in bounds if name in STOPS), None)  # an older pacer names only the deliveries ahead
    bound = stop or str(pacing.get("bound") or "")
    words = BOUNDS.get(bound, bound)
    sentence = (stop and f"{words[:1].upper()}{words[1:]}.") or pacing.get("why") or f"It waits: {words}."
    if bound == "delivery" and (at := pacing.get("not_before")):
        return f"Scheduled: not before {_when(at, zone, now)}."
    if at := pacing.get("next_release"):
        return f"{sentence} It is sent {formats.until(_moment(at), now)} ({_when(at, zone, now)})."
    return sentence


def _when(moment: Any, zone: str, now: datetime) -> str:
    return formats.clock(_moment(moment), zone, now)


def _moment(moment: Any) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))


def _ended(explained: Mapping[str, Any]) -> list[ExplanationStep]:
    status, reason = str(explained.get("status")), explained.get("reason")
    if status == "held":
        return []
    attempts = f" at attempt {explained['attempt']}" if explained.get("attempt", 1) > 1 else ""
    because = f": {cause(reason).rstrip('.')}" if reason and cause(reason).rstrip(".").lower() != status else ""
    return [ExplanationStep(f"{status[:1].upper()}{status[1:]}{attempts}{because}.", is_now=True)]
