"""Package gauges: packages with a bounded number of label values, and open alerts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import ProfileState
from stats.core.package_summary import OTHERS, named_packages, summarize
from stats.health.package_gauges import PackageGauges
from stats.testing import StatsHarness, outcome, package, profile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LARGE, SMALL, TINY = (
    package("large", *(profile(f"large_{number}") for number in range(3))),
    package("small", profile("small_1"), profile("small_2")),
    package("tiny", profile("tiny_1")),
)


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"spreader_package_{name}", labels)


def test_the_largest_packages_have_names_and_the_others_share_one() -> None:
    named = named_packages([TINY, SMALL, LARGE], packages_max=1)
    assert {name: [each.package_id for each in packages] for name, packages in named.items()} == {
        "large": ["large"], OTHERS: ["small", "tiny"],
    }  # fmt: skip
    assert list(named_packages([TINY, SMALL, LARGE], packages_max=3)) == ["large", "small", "tiny"]


def test_a_profile_without_a_state_is_counted_as_unknown() -> None:
    states: Mapping[str, ProfileState] = {
        "small_1": ProfileState(profile_id="small_1", package_id="small", at=NOON, limit_factor=0.5)
    }
    seen = summarize([SMALL], states)
    assert seen.profiles == {"ok": 1, "limited": 0, "blocked": 0, "unknown": 1}
    assert (seen.allowed, seen.healths) == (60 + 120, [])


@pytest.mark.postgres
async def test_metrics_show_packages_and_open_alerts_and_drop_deleted_packages(engine: AsyncEngine) -> None:
    harness = StatsHarness(engine, NOON, TINY, SMALL)
    harness.clock.forward(timedelta(minutes=1))
    await harness.receive(
        outcome(1, "sent", NOON, "tiny_1", package_id="tiny"),
        outcome(2, "failed", NOON, "small_1", package_id="small", failure="credentials", reason="wrong key"),
    )
    await harness.evaluate()
    await harness.publish()
    gauges = PackageGauges(engine, harness.config, harness.published)
    await gauges.turn()
    assert value("day_deliveries", package="tiny", kind="sent_open") == 1
    assert value("profiles", package="small", state="blocked") == 1
    assert (value("health_points", package="tiny", of="lowest") or 0) > 50
    credentials = {"kind": "credentials", "severity": "critical"}
    assert REGISTRY.get_sample_value("spreader_open_alerts", credentials) == 1
    harness.packages.set("tiny", None)
    await gauges.turn()
    assert value("day_deliveries", package="tiny", kind="sent_open") is None
    assert value("profiles", package="small", state="blocked") == 1
