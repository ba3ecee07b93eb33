"""Lifted rules: the rules of a profile without one of its bounds. A forecast under such rules shows how much the bound
costs."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pacer.core.hours import Hours
from pacer.core.policy import Rules
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap

LIMITLESS = 1_000_000
SHORTEST_GAP = Gap(
    min_seconds=1, max_seconds=1, rush_factor=1, calm_factor=1, tempo_min=1, tempo_max=1, fastest=0.1, slack=0
)


def lifted(rules: Rules, bound: Bound) -> Rules | None:
    """The rules without this bound. None: the bound cannot be lifted, or the rules do not have it."""
    lift = _LIFTS.get(bound)
    without = rules if lift is None else lift(rules)
    return None if without == rules else without


def _without_limit(name: str, value: int | None) -> Callable[[Rules], Rules]:
    return lambda rules: replace(rules, limits=rules.limits.model_copy(update={name: value}))


_LIFTS: Mapping[Bound, Callable[[Rules], Rules]] = {
    Bound.GAP: lambda rules: replace(rules, gap=SHORTEST_GAP),
    Bound.HOUR_LIMIT: _without_limit("per_hour", LIMITLESS),
    Bound.THREE_HOURS_LIMIT: _without_limit("per_3_hours", LIMITLESS),
    Bound.DAY_LIMIT: _without_limit("per_day", LIMITLESS),
    Bound.NEW_CONTACTS_LIMIT: _without_limit("new_contacts_per_day", None),
    Bound.UNANSWERED_BUDGET: _without_limit("unanswered_per_30_days", None),
    Bound.QUIET_HOURS: lambda rules: replace(rules, quiet=None),
    Bound.REST_WINDOW: lambda rules: replace(rules, hours=Hours(None, rules.hours.timezone)),
}
"""The limits of shorter windows stay when the day limit is lifted, as when an operator removes it in the settings."""
