"""Metrics of a running system: all that a dashboard or a rule names is there, with its labels, from the start."""

import pytest
from e2e.running import SERVICES, Running, eventually, recipients
from prometheus_client.parser import text_string_to_metric_families
from promql import Series, missing, queries

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def scraped(system: Running) -> list[Series]:
    found: list[Series] = []
    for name in SERVICES:
        answer = await system.ask_at(name, "/metrics")
        assert answer.status == 200, name
        for family in text_string_to_metric_families(answer.body):
            place = {"job": name, "instance": f"127.0.0.1:{system.ports[name]}"}
            found += [(sample.name, {**sample.labels, **place}) for sample in family.samples]
    return found


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
    """The services are asked one after the other, and parts come out of trouble: what is wrong has to pass."""

    async def wrong() -> list[str]:
        series = await numbers(system)
        assert series["spreader_reply_seconds_count"][()] >= 1
        assert set(series["spreader_limit_breaches_total"].values()) == {0}
        troubled = [str(labels) for labels, value in series["spreader_troubled_parts"].items() if value]
        unsettled = {
            dict(labels)["service"]: count for labels, count in series["spreader_unsettled_deliveries"].items()
        }
        there = {
            "router": 0.0,
            "pacer": series["spreader_held_deliveries"][()],
            "sender": sum(series["spreader_sender_unsettled_deliveries"].values()),
        }
        return troubled + [f"lost in {name}?" for name, count in there.items() if unsettled[name] > count]

    await eventually(wrong, 60, lambda found: not found)


async def numbers(system: Running) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """By name and labels; what several services show, as the greatest of them."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for name in SERVICES:
        for family in text_string_to_metric_families((await system.ask_at(name, "/metrics")).body):
            for sample in family.samples:
                seen, labels = found.setdefault(sample.name, {}), tuple(sorted(sample.labels.items()))
                seen[labels] = max(sample.value, seen.get(labels, 0))
    return found
