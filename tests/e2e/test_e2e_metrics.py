"""Metrics of a running system: every series of a dashboard or rule exists from the start, with its labels."""

import pytest
from e2e.system import SERVICES, RunningSystem, eventually, recipients
from prometheus_client.parser import text_string_to_metric_families
from promql import Series, missing, queries

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


async def scraped(system: RunningSystem) -> list[Series]:
    found: list[Series] = []
    for name in SERVICES:
        answer = await system.ask_at(name, "/metrics")
        assert answer.status == 200, name
        for family in text_string_to_metric_families(answer.body):
            place = {"job": name, "instance": f"127.0.0.1:{system.ports[name]}"}
            found += [(sample.name, {**sample.labels, **place}) for sample in family.samples]
    return found


async def test_every_query_finds_its_series_and_the_metrics_show_no_loss(live: RunningSystem) -> None:
    """Fails if a metric appears only after its first event, or if a label is renamed on one side only."""
    await live.create_package("watched", 2)
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
    await _check_metrics(live)


async def _check_metrics(system: RunningSystem) -> None:
    """Wait until no component reports an error and no service has lost a delivery.

    The services are read one after the other, so the numbers may disagree for a short time.
    """

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


async def numbers(system: RunningSystem) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Values by metric name and labels; the greatest if several services have the series."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for name in SERVICES:
        for family in text_string_to_metric_families((await system.ask_at(name, "/metrics")).body):
            for sample in family.samples:
                seen, labels = found.setdefault(sample.name, {}), tuple(sorted(sample.labels.items()))
                seen[labels] = max(sample.value, seen.get(labels, 0))
    return found
