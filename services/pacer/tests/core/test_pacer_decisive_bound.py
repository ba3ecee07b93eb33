"""Decisive bound: a forecast names the bound whose lifting would help most, and not the one that holds most often."""

from datetime import UTC, datetime, timedelta

import pytest

from pacer.core.forecast.message_share import MessageShare
from pacer.core.forecast.package_forecast import PackageForecast, forecast_package
from pacer.core.forecast.queue_snapshot import QueueSnapshot
from pacer.core.hours import Hours
from pacer.core.policy import Margins, Rules
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits
from spreader.contract.events import OpenOptions

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
PROFILES, STEPS = 2, 500
SLOW = Gap(min_seconds=3_600, max_seconds=7_200)
NO_BUDGET = ProfileLimits(unanswered_per_30_days=None)


def forecast(each: int, limits: ProfileLimits, per_day: int | None = None, gap: Gap | None = None) -> PackageForecast:
    margins = Margins(timedelta(0), timedelta(0))
    rules = Rules(limits, Hours(None, "UTC"), gap or Gap(), 0.4, margins, 10)
    total = PROFILES * each
    snapshots = [
        QueueSnapshot(
            f"p{n}", rules, [], [], [], MessageShare(f"p{n}", OpenOptions(), [], NOON, total, range(n, total, 2))
        )
        for n in range(PROFILES)
    ]
    return forecast_package("one", snapshots, per_day, [], NOON, STEPS)


@pytest.mark.parametrize(
    ("each", "limits", "per_day", "gap", "bound"),
    [
        (3_000, ProfileLimits(), None, None, Bound.UNANSWERED_BUDGET),
        (3_000, ProfileLimits(unanswered_per_30_days=5_000), None, None, Bound.DAY_LIMIT),
        (
            600,
            ProfileLimits(new_contacts_per_day=20, unanswered_per_30_days=None),
            None,
            None,
            Bound.NEW_CONTACTS_LIMIT,
        ),
        (600, NO_BUDGET, 40, None, Bound.PACKAGE_DAY_LIMIT),
        (300, NO_BUDGET, None, SLOW, Bound.GAP),
        (20, NO_BUDGET, None, None, Bound.GAP),
    ],
)
def test_the_bound_that_costs_most_is_named(
    each: int, limits: ProfileLimits, per_day: int | None, gap: Gap | None, bound: Bound
) -> None:
    """Red before: it was the gap in every case but the package's limit, because most releases wait for it shortly."""
    assert forecast(each, limits, per_day, gap).binds == bound


def test_lifting_the_named_bound_brings_the_end_forward() -> None:
    held, free = forecast(3_000, ProfileLimits()), forecast(3_000, NO_BUDGET)
    assert held.completion is not None
    assert free.completion is not None
    assert free.completion - NOON < (held.completion - NOON) / 5
