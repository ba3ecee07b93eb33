"""Forecast: shows when the last waiting delivery will be released, what delays the deliveries, and the releases of each
hour."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from console.core import formats
from console.core.api_models import ApiForecast, ApiForecastHour, ApiWhatIf
from console.core.markup import join, tag
from console.core.profile_table import BOUNDS
from console.theme import PROFILES
from console.ui import components

COLUMNS_MAX = 96


def completion(forecast: ApiForecast, zone: str, now: datetime) -> str:
    """When the last delivery will be released, or why that is unknown."""
    if forecast.completion is not None:
        return done_at(forecast.completion, forecast, zone, now)
    if forecast.counted_until is not None:
        return f"later than {formats.clock(forecast.counted_until, zone, now)} (estimate)"
    if any(profile.deliveries and profile.completion is None for profile in forecast.profiles.values()):
        return "not for now: some messages wait for a phone that sends nothing"
    return f"not for now: {binds(forecast)}" if forecast.binds else "No messages waiting"


def done_at(at: datetime, forecast: ApiForecast, zone: str, now: datetime) -> str:
    note = "" if forecast.counted_until is None else ", extrapolated"
    return f"{formats.clock(at, zone, now)} ({formats.until(at, now)}{note})"


def binds(forecast: ApiForecast) -> str:
    return BOUNDS.get(forecast.binds or "", forecast.binds or formats.DASH)


def what_if(comparison: ApiWhatIf, zone: str, now: datetime) -> Markup:
    """A table that shows two forecasts beside each other. One uses the saved settings, and the other uses the changed
    settings."""
    lines = [
        ("Now", completion(comparison.now, zone, now), binds(comparison.now)),
        ("With your changes", completion(comparison.then, zone, now), binds(comparison.then)),
    ]
    warnings = [components.notice(warning.get("detail", ""), "warn", "warning") for warning in comparison.warnings]
    table = components.table(("", "All waiting messages sent by", "Main limit"), lines, testid="what-if")
    chart = tag("div", "Messages an hour with your changes:", class_="soft small")
    title = chart if comparison.then.curve else None
    return join(table, title, hourly_chart(comparison.then.curve, zone, now), *warnings)


def hourly_chart(hours: Sequence[ApiForecastHour], zone: str, now: datetime) -> Markup:
    """A chart with one column for each hour, in which each profile has its own colour."""
    if not hours:
        return join()
    names = sorted({name for hour in hours for name in hour.profiles})
    colour = {name: PROFILES[index % len(PROFILES)] for index, name in enumerate(names)}
    columns = [
        (
            f"{formats.clock(hour.begin, zone, now)}: {formats.plural(hour.deliveries, 'message')}",
            hour.begin.astimezone(ZoneInfo(zone)).strftime("%H"),
            [(colour[name], count) for name, count in hour.profiles.items()],
        )
        for hour in hours[:COLUMNS_MAX]
    ]
    legend = [tag("span", tag("i", style=f"background:{colour[name]}"), name) for name in names[: len(PROFILES)]]
    return join(column_chart(columns, "Messages by hour"), tag("div", *legend, class_="legend"))


Column = tuple[str, str, Sequence[tuple[str, int]]]
"""A column of a chart: its tooltip, the label below it, and the colour and count of each of its parts."""


def column_chart(columns: Sequence[Column], label: str) -> Markup:
    highest = max((sum(count for _, count in parts) for _, _, parts in columns), default=0) or 1
    every = max(len(columns) // 12, 1)
    drawn = [
        tag(
            "div",
            tag("div", *(_part(count / highest, colour) for colour, count in parts), class_="chart-bars"),
            tag("span", mark if index % every == 0 else "", class_="chart-mark"),
            class_="chart-column",
            title=tooltip,
        )
        for index, (tooltip, mark, parts) in enumerate(columns)
    ]
    top = tag("span", formats.count(highest), class_="chart-top")
    return tag("figure", top, tag("div", *drawn, class_="chart-columns"), class_="chart", role="img", aria_label=label)


def _part(share: float, colour: str) -> Markup:
    return tag("i", style=f"height:{share:.2%};background:{colour}")
