"""Dashboards: every panel has a title, a unit and advice; no query uses a label that grows with customers."""

from typing import Any

import pytest
from promql import DASHBOARDS, PROMETHEUS_SERIES, Query, Series, missing, panels, queries

PANELS = list(panels())
SHOWN: list[Series] = [
    ("spreader_sends_total", {"lane": "open", "driver": "waha", "result": "accepted", "job": "sender"}),
    ("spreader_reply_seconds_bucket", {"le": "2.0", "job": "sender"}),
    ("spreader_reply_seconds_count", {"job": "sender"}),
    ("spreader_consumer_oldest_seconds", {"group": "router", "topic": "spreader.alerts", "job": "router"}),
]
GROWING = {"recipient", "message_id", "delivery_id", "profile", "profile_id", "conversation"}


def test_there_are_four_dashboards() -> None:
    assert [file.stem for file in DASHBOARDS] == ["fleet", "package", "pipeline", "service-levels"]


@pytest.mark.parametrize(("where", "panel"), PANELS, ids=[where for where, _ in PANELS])
def test_a_panel_says_what_it_shows_and_what_to_do(where: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["description"].endswith(".")
    assert panel["targets"]
    assert {target["datasource"]["uid"] for target in panel["targets"]} == {"prometheus"}


def test_panels_do_not_cover_each_other() -> None:
    for file in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for where, panel in PANELS:
            if where.startswith(f"{file.stem}: "):
                area = panel["gridPos"]
                cells = {
                    (area["x"] + right, area["y"] + down) for right in range(area["w"]) for down in range(area["h"])
                }
                assert not cells & taken, where
                assert all(x < 24 for x, _ in cells)
                taken |= cells


def test_no_query_names_a_label_that_grows_with_customers() -> None:
    for query in queries():
        named = {name for each in query.selectors for name, _, _ in each.matchers} | query.grouped_by
        assert not named & GROWING, query.where


def test_every_query_asks_for_something_of_ours() -> None:
    for query in queries():
        assert (
            {each.name for each in query.selectors} - PROMETHEUS_SERIES or "up" in query.text or "ALERTS" in query.text
        )


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ('sum by (driver) (rate(spreader_sends_total{lane="open", result=~"acc.*"}[5m])) > 0', 0),
        ("sum(rate(spreader_sendings_total[5m]))", 1),
        ('sum(rate(spreader_sends_total{lane="reply"}[5m]))', 1),
        ('sum(rate(spreader_sends_total{way="open"}[5m]))', 1),
        ("sum by (gateway) (rate(spreader_sends_total[5m]))", 1),
        ("sum by (job, instance) (rate(spreader_sends_total[5m]))", 0),
        ("spreader:reply_late:ratio_5m > 0.1", 0),
        ('spreader:consumer_oldest_seconds:max{topic="spreader.alerts"}', 0),
        ('spreader:consumer_oldest_seconds:max{topic="spreader.alarms"}', 1),
        ('count(up{job="pacer"} == 0) or vector(0)', 0),
    ],
)
def test_a_query_for_missing_series_is_detected(text: str, complaints: int) -> None:
    """The test of the running system uses the same check (test_e2e_metrics.py)."""
    assert len(missing(Query("one", text), SHOWN)) == complaints
