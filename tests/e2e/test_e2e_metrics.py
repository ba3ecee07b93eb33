"""Metrics of a running system: all that a dashboard or a rule names is there, with its labels, from the start."""

from collections.abc import Mapping, Sequence

import pytest
from e2e.running import SERVICES, Running, eventually, recipients
from prometheus_client.parser import text_string_to_metric_families
from promql import BY_PROMETHEUS, OF_PROMETHEUS, Query, Selector, queries, rules

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Series = tuple[str, Mapping[str, str]]


async def scraped(system: Running) -> list[Series]:
    found: list[Series] = []
    for name in SERVICES:
        answer = await system.ask_at(name, "/metrics")
        assert answer.status == 200, name
        for family in text_string_to_metric_families(answer.body):
            place = {"job": name, "instance": f"127.0.0.1:{system.ports[name]}"}
            found += [(sample.name, {**sample.labels, **place}) for sample in family.samples]
    return found


def sources(selector: Selector) -> Sequence[Selector]:
    """What a recorded series is made of, under its own matchers."""
    made = next((rule["expr"] for rule in rules() if rule.get("record") == selector.name), None)
    if made is None:
        return [selector]
    return [
        source
        for each in Query(selector.name, made).selectors
        for source in sources(Selector(each.name, (*each.matchers, *selector.matchers)))
    ]


def missing(query: Query, series: Sequence[Series]) -> list[str]:
    """The selectors that take nothing, and the labels that it groups by and nothing has."""
    known: dict[str, set[str]] = {}
    wrong: list[str] = []
    for selector in [source for each in query.selectors for source in sources(each)]:
        if selector.name in OF_PROMETHEUS:
            continue
        taken = [labels for name, labels in series if name == selector.name and selector.takes(labels)]
        known.setdefault("labels", set()).update(*taken)
        if not taken:
            wrong.append(f"{query.where}: {selector.name} {selector.matchers}")
    grouped = query.grouped_by - BY_PROMETHEUS - known.get("labels", set())
    return [*wrong, *(f"{query.where}: nothing has the label {label}" for label in sorted(grouped))]


async def test_every_query_finds_its_series_and_the_promises_are_kept(live: Running) -> None:
    """Dies when a metric appears only with its first event, as when a label is renamed on one side only."""
    await live.package("watched", 2)
    customer, *crowd = recipients(4, 960_000)
    reply = {"type": "text", "text": "Yes", "recipient": customer}
    answer = await live.ask("POST", "/packages/watched/messages/reply", reply)
    assert answer.status == 200, answer.body
    body = {"type": "text", "text": "Hello", "recipients": crowd}
    assert (await live.ask("POST", "/packages/watched/messages/open", body)).status in (200, 202)

    async def look() -> list[str]:
        series = await scraped(live)
        return [each for query in queries() for each in missing(query, series)]

    await eventually(look, 60, lambda wrong: not wrong)
    await _promises(live)


async def _promises(system: Running) -> None:
    series = await numbers(system)
    assert series["spreader_reply_seconds_count"][()] >= 1
    assert set(series["spreader_limit_breaches_total"].values()) == {0}
    assert set(series["spreader_troubled_parts"].values()) == {0}
    unsettled = {dict(labels)["holder"]: count for labels, count in series["spreader_unsettled_deliveries"].items()}
    assert unsettled["router"] == 0
    assert unsettled["pacer"] <= series["spreader_held_deliveries"][()]
    assert unsettled["sender"] <= sum(series["spreader_sender_unsettled_deliveries"].values())


async def numbers(system: Running) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """By name and labels; what several services show, as the greatest of them."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for name in SERVICES:
        for family in text_string_to_metric_families((await system.ask_at(name, "/metrics")).body):
            for sample in family.samples:
                seen, labels = found.setdefault(sample.name, {}), tuple(sorted(sample.labels.items()))
                seen[labels] = max(sample.value, seen.get(labels, 0))
    return found
