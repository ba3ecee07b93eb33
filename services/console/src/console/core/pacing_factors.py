"""Pacing factors: explains in words the factors of each profile's gap, and what each pacing setting does now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from console.core import formats
from console.core.queue import ApiGapFactors, ApiPace, ApiQueue


@dataclass(frozen=True, slots=True)
class GapFactor:
    name: str
    value: str
    words: str


def gap_factors(pace: ApiPace, rush_over: int) -> tuple[GapFactor, ...]:
    """The factors in the order of their calculation.

    While no delivery waits, the pacer draws no gap. Then only the limit factor and the warm-up are known.
    """
    if (factors := pace.factors) is None:
        return ()
    of_limits = (
        GapFactor("Limit factor", formats.times(factors.limit_factor), _limit_factor(factors)),
        GapFactor(
            "Warm-up",
            formats.times(factors.warm_up),
            "An established account has all of its limits."
            if factors.warm_up >= 1
            else "A new account: its limits still grow.",
        ),
    )
    return (*_of_gap(pace, factors, rush_over), *of_limits)


def _of_gap(pace: ApiPace, factors: ApiGapFactors, rush_over: int) -> tuple[GapFactor, ...]:
    if factors.base_seconds is None:
        return ()
    low, high = formats.span(factors.gap_min_seconds), formats.span(factors.gap_max_seconds)
    return (
        GapFactor(
            "Base",
            formats.span(factors.base_seconds),
            "The usual time between messages: from the limits, or your own range.",
        ),
        GapFactor("Pressure", formats.times(factors.pressure), _pressure(pace, factors, rush_over)),
        GapFactor("Tempo", formats.times(factors.tempo), _tempo(factors)),
        GapFactor(
            "Mean",
            formats.span(factors.mean_seconds),
            "Base × pressure × tempo, and never so short that an hour's "
            "messages would go in less than three quarters of it.",
        ),
        GapFactor("Spread", formats.share(factors.spread), "How much the times differ. Each phone has its own value."),
        GapFactor("Range", f"{low} – {high}", "The next message is sent this long after the last one."),
        GapFactor("Position", formats.share(factors.position), "Where in the range; drawn anew for each message."),
        GapFactor(
            "Slack",
            formats.span(factors.slack_seconds),
            "Held by a limit, it goes so much later than there is room "
            "again: drawn with the position, so that no day repeats the day before.",
        ),
    )


def _pressure(pace: ApiPace, factors: ApiGapFactors, rush_over: int) -> str:
    due = f"over {pace.due - 1}" if pace.due_counted_to and pace.due >= pace.due_counted_to else str(pace.due)
    if (factors.pressure or 1) > 1:
        return f"Long queue: {due} wait, more than {rush_over}. It slows down, so that a full queue makes no burst."
    if (factors.pressure or 1) < 1:
        return f"Short queue: {due} wait, fewer than {rush_over}. It sends faster."
    return f"Exactly {rush_over} wait: neither slower nor faster."


def _tempo(factors: ApiGapFactors) -> str:
    sent = f"{formats.count(factors.sent_last_2_hours)} went in the last 2 hours"
    if (factors.tempo or 1) > 1:
        return f"{sent}, more than expected: it slows down."
    if (factors.tempo or 1) < 1:
        return f"{sent}, fewer than expected: it speeds up."
    return f"{sent}, as expected."


def _limit_factor(factors: ApiGapFactors) -> str:
    if factors.limit_factor >= 1:
        return "All of the limits."
    return "Limits halved automatically after signs of trouble. They come back day by day."


@dataclass(frozen=True, slots=True)
class Rush:
    """Whether any profile of a package is in rush, and one sentence that says so."""

    is_on: bool
    words: str


def rush(queue: ApiQueue) -> Rush:
    if queue.profiles_in_rush:
        words = (
            f"{formats.plural(queue.profiles_in_rush, 'phone')} slowed down (long queue): more than {queue.rush_over} "
            "messages are due. The time between messages is doubled there until the queue is short again."
        )
        return Rush(True, words)
    if queue.held:
        return Rush(False, f"No phone is slowed down: none has more than {queue.rush_over} messages due.")
    return Rush(False, "No messages waiting.")


def effects(queue: ApiQueue | None) -> dict[str, str]:
    """A text for each setting that says what the setting does now. The keys are the JSON pointers of the settings."""
    if queue is None:
        return {}
    known = [pace.factors for pace in queue.profiles if pace.factors is not None]
    texts = {
        **{pointer: _fullest(queue.profiles, name) for pointer, name in _LIMITS.items()},
        "/limits/concurrent_sends": f"{queue.at_gateway.now} of {queue.at_gateway.max} at the gateway",
        "/gap/rush_over": f"{formats.plural(queue.profiles_in_rush, 'phone')} slowed down",
        "/gap/rush_factor": _range([factors.pressure for factors in known], formats.times),
        "/gap/calm_factor": _range([factors.pressure for factors in known], formats.times),
        "/gap/tempo_min": _range([factors.tempo for factors in known], formats.times),
        "/gap/tempo_max": _range([factors.tempo for factors in known], formats.times),
        "/gap/slack": _range([factors.slack_seconds for factors in known], formats.span),
        "/gap/pairs_under": f"{formats.plural(_in_pairs(queue.profiles), 'phone')} two at a time",
        "/gap/spread": _range([factors.spread for factors in known], formats.share),
        "/gap/min_seconds": _range([factors.gap_min_seconds for factors in known], formats.span),
        "/gap/max_seconds": _range([factors.gap_max_seconds for factors in known], formats.span),
    }
    if queue.package_day is not None:
        texts["/limits/per_day"] = f"{formats.count(queue.package_day.used)} used"
    return {pointer: f"Now: {words}" for pointer, words in texts.items() if words}


def _in_pairs(profiles: Sequence[ApiPace]) -> int:
    return sum(pace.bound == "day limit in pairs" for pace in profiles)


_LIMITS = {
    "/profile_limits/per_hour": "hour limit",
    "/profile_limits/per_3_hours": "3 hours limit",
    "/profile_limits/per_day": "day limit",
    "/profile_limits/new_contacts_per_day": "new contacts limit",
    "/profile_limits/unanswered_per_30_days": "unanswered budget",
}


def _fullest(paces: Sequence[ApiPace], name: str) -> str:
    used = [(pace.limits[name].used, pace.limits[name].limit) for pace in paces if name in pace.limits]
    if not used:
        return ""
    most, limit = max(used, key=lambda pair: pair[0])
    of = "" if limit is None else f" of {formats.count(limit)} in force"
    return f"the fullest phone has used {formats.count(most)}{of}"


def _range(optional: Sequence[float | None], shown: Callable[[float], str]) -> str:
    values = [value for value in optional if value is not None]
    if not values:
        return ""
    low, high = shown(min(values)), shown(max(values))
    return low if low == high else f"{low} to {high}"
