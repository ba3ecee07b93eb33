"""Pacing: every factor of a profile's gap with its present value, and in words what it does now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from console.core import formats
from console.core.queue import Factors, Pace, Queue


@dataclass(frozen=True, slots=True)
class Factor:
    name: str
    value: str
    words: str


def factors(pace: Pace, rush_over: int) -> tuple[Factor, ...]:
    """In the order in which the gap is made of them; those of the gap are not known while nothing waits."""
    if (known := pace.factors) is None:
        return ()
    standing = (
        Factor("Limit factor", formats.times(known.limit_factor), _limit_factor(known)),
        Factor("Warm-up", formats.times(known.warm_up), "An established account has all of its limits."
               if known.warm_up >= 1 else "A new account: its limits still grow."),
    )  # fmt: skip
    return (*_of_gap(pace, known, rush_over), *standing)


def _of_gap(pace: Pace, known: Factors, rush_over: int) -> tuple[Factor, ...]:
    if known.base_seconds is None:
        return ()
    low, high = formats.span(known.gap_min_seconds), formats.span(known.gap_max_seconds)
    return (
        Factor("Base", formats.span(known.base_seconds), "The usual gap: from the limits, or your own range."),
        Factor("Pressure", formats.times(known.pressure), _pressure(pace, known, rush_over)),
        Factor("Tempo", formats.times(known.tempo), _tempo(known)),
        Factor("Mean", formats.span(known.mean_seconds), "Base × pressure × tempo, and never so short that an hour's "
               "messages would go in less than three quarters of it."),
        Factor("Spread", formats.share(known.spread), "How far its gaps lie around the mean: its own, and kept."),
        Factor("Range", f"{low} – {high}", "The next gap lies in here."),
        Factor("Position", formats.share(known.position), "Where in the range; drawn anew for each message."),
        Factor("Slack", formats.span(known.slack_seconds), "Held by a limit, it goes so much later than there is room "
               "again: drawn with the position, so that no day repeats the one before."),
    )  # fmt: skip


def _pressure(pace: Pace, known: Factors, rush_over: int) -> str:
    due = f"over {pace.due - 1}" if pace.due_counted_to and pace.due >= pace.due_counted_to else str(pace.due)
    if (known.pressure or 1) > 1:
        return f"Rush: {due} wait, more than {rush_over}. Gaps are longer, so that a full queue makes no burst."
    if (known.pressure or 1) < 1:
        return f"Calm: {due} wait, fewer than {rush_over}. Gaps are shorter."
    return f"Exactly {rush_over} wait: neither rush nor calm."


def _tempo(known: Factors) -> str:
    sent = f"{formats.count(known.sent_last_2_hours)} went in the last 2 hours"
    if (known.tempo or 1) > 1:
        return f"{sent}, more than expected: it slows down."
    if (known.tempo or 1) < 1:
        return f"{sent}, fewer than expected: it speeds up."
    return f"{sent}, as expected."


def _limit_factor(known: Factors) -> str:
    if known.limit_factor >= 1:
        return "All of the limits: nothing speaks against it."
    return "Limits are lowered by themselves, since the profile showed signs of trouble; they come back day by day."


@dataclass(frozen=True, slots=True)
class Rush:
    """The package's queue in one sentence."""

    is_on: bool
    words: str


def rush(queue: Queue) -> Rush:
    if queue.profiles_in_rush:
        words = (
            f"{formats.plural(queue.profiles_in_rush, 'profile')} in rush: more than {queue.rush_over} wait for each. "
            "Gaps are doubled there until the queue is short again."
        )
        return Rush(True, words)
    if queue.held:
        return Rush(False, f"No rush: no profile has more than {queue.rush_over} that are due.")
    return Rush(False, "Nothing waits.")


def effects(queue: Queue | None) -> dict[str, str]:
    """By the pointer of a setting: what it does at this moment."""
    if queue is None:
        return {}
    known = [pace.factors for pace in queue.profiles if pace.factors is not None]
    said = {
        **{pointer: _fullest(queue.profiles, name) for pointer, name in _LIMITS.items()},
        "/limits/concurrent_sends": f"{queue.at_gateway.now} of {queue.at_gateway.max} with the gateway",
        "/gap/rush_over": f"{formats.plural(queue.profiles_in_rush, 'profile')} in rush",
        "/gap/rush_factor": _range([each.pressure for each in known], formats.times),
        "/gap/calm_factor": _range([each.pressure for each in known], formats.times),
        "/gap/tempo_min": _range([each.tempo for each in known], formats.times),
        "/gap/tempo_max": _range([each.tempo for each in known], formats.times),
        "/gap/slack": _range([each.slack_seconds for each in known], formats.span),
        "/gap/pairs_under": f"{formats.plural(_in_pairs(queue.profiles), 'profile')} two at a time",
        "/gap/spread": _range([each.spread for each in known], formats.share),
        "/gap/min_seconds": _range([each.gap_min_seconds for each in known], formats.span),
        "/gap/max_seconds": _range([each.gap_max_seconds for each in known], formats.span),
    }
    if queue.package_day is not None:
        said["/limits/per_day"] = f"{formats.count(queue.package_day.used)} used"
    return {pointer: f"Now: {words}" for pointer, words in said.items() if words}


def _in_pairs(profiles: Sequence[Pace]) -> int:
    return sum(each.bound == "day limit in pairs" for each in profiles)


_LIMITS = {
    "/profile_limits/per_hour": "hour limit",
    "/profile_limits/per_3_hours": "3 hours limit",
    "/profile_limits/per_day": "day limit",
    "/profile_limits/new_contacts_per_day": "new contacts limit",
    "/profile_limits/unanswered_per_30_days": "unanswered budget",
}


def _fullest(paces: Sequence[Pace], name: str) -> str:
    used = [(pace.limits[name].used, pace.limits[name].limit) for pace in paces if name in pace.limits]
    if not used:
        return ""
    most, limit = max(used, key=lambda pair: pair[0])
    of = "" if limit is None else f" of {formats.count(limit)} in force"
    return f"the fullest profile has used {formats.count(most)}{of}"


def _range(perhaps: Sequence[float | None], shown: Callable[[float], str]) -> str:
    values = [each for each in perhaps if each is not None]
    if not values:
        return ""
    low, high = shown(min(values)), shown(max(values))
    return low if low == high else f"{low} to {high}"
