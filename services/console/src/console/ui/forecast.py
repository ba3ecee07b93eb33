"""Outlooks: a forecast as people read it: when it is done, what binds, and how much goes in each hour."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.core import formats
from console.core.api_models import Hour, Outlook, WhatIf
from console.core.markup import tag, together
from console.core.profile_table import BOUNDS
from console.theme import PROFILES
from console.ui import components

COLUMNS_MAX = 96


def completion(outlook: Outlook, zone: str, now: datetime) -> str:
    """When the last one goes, or why nobody can say."""
    if outlook.completion is not None:
        return f"{formats.clock(outlook.completion, zone, now)} ({formats.until(outlook.completion, now)})"
    if outlook.counted_until is not None:
        return f"later than {formats.clock(outlook.counted_until, zone, now)}"
    if any(each.deliveries and each.completion is None for each in outlook.profiles.values()):
        return "not for now: some of it waits for a profile that sends nothing"
    return f"not for now: {binds(outlook)}" if outlook.binds else "nothing waits"


def binds(outlook: Outlook) -> str:
    return BOUNDS.get(outlook.binds or "", outlook.binds or formats.DASH)


def what_if(foreseen: WhatIf, zone: str, now: datetime) -> Markup:
    """The present queue with the settings as they are, and as they would be."""
    lines = [
        ("As it is", completion(foreseen.now, zone, now), binds(foreseen.now)),
        ("With your changes", completion(foreseen.then, zone, now), binds(foreseen.then)),
    ]
    warnings = [components.notice(each.get("detail", ""), "warn", "warning") for each in foreseen.warnings]
    table = components.table(("", "All that waits now is sent by", "What holds it most"), lines, testid="what-if")
    return together(table, tag("div", _legend(), class_="soft small"), curve(foreseen.then.curve, zone, now), *warnings)


def _legend() -> str:
    return "Messages an hour with your changes:"


def curve(hours: Sequence[Hour], zone: str, now: datetime) -> Markup:
    """Columns by hour, a colour for each profile."""
    if not hours:
        return together()
    names = sorted({name for hour in hours for name in hour.profiles})
    colour = {name: PROFILES[place % len(PROFILES)] for place, name in enumerate(names)}
    stacks = [
        (
            f"{formats.clock(hour.begin, zone, now)}: {formats.plural(hour.deliveries, 'message')}",
            hour.begin.astimezone(ZoneInfo(zone)).strftime("%H"),
            [(colour[name], count) for name, count in hour.profiles.items()],
        )
        for hour in hours[:COLUMNS_MAX]
    ]
    legend = [tag("span", tag("i", style=f"background:{colour[name]}"), name) for name in names[: len(PROFILES)]]
    return together(columns(stacks, "Messages by hour"), tag("div", *legend, class_="legend"))


Stack = tuple[str, str, Sequence[tuple[str, int]]]
"""A column: what it says when pointed at, its mark below, and its parts with their colours."""


def columns(stacks: Sequence[Stack], label: str) -> Markup:
    highest = max((sum(count for _, count in parts) for _, _, parts in stacks), default=0) or 1
    every = max(len(stacks) // 12, 1)
    made = [
        tag(
            "div",
            tag("div", *(_part(count / highest, colour) for colour, count in parts), class_="column-bars"),
            tag("span", mark if place % every == 0 else "", class_="column-mark"),
            class_="column", title=words,
        )
        for place, (words, mark, parts) in enumerate(stacks)
    ]  # fmt: skip
    top = tag("span", formats.count(highest), class_="columns-top")
    return tag("figure", top, tag("div", *made, class_="columns"), class_="chart", role="img", aria_label=label)


def _part(share: float, colour: str) -> Markup:
    return tag("i", style=f"height:{share:.2%};background:{colour}")
