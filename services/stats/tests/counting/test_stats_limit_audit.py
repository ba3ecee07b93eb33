"""Limit audit: breaches of the limits, counted from sent messages."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import PackageConfigured
from stats.core.breaches import WINDOWS, breaches
from stats.counting.limit_audit import AuditDelays, LimitAudit
from stats.testing import StatsHarness, outcome, package, profile

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SMALL = ProfileLimits(per_hour=2, per_3_hours=3, per_day=4)
DELAYS = AuditDelays(grace=5 * MINUTE, settling=10 * SECOND, tolerance=30 * SECOND)
NEVER = datetime(2000, 1, 1, tzinfo=UTC)


def found(*minutes: float, after: datetime = NEVER, tolerance: timedelta = 30 * SECOND) -> list[int]:
    """The number of breaches of 1 hour, 3 hours and 24 hours."""
    sent = [NOON + minute * MINUTE for minute in minutes]
    return list(breaches(sent, SMALL, after, tolerance).values())


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ((), [0, 0, 0]),
        ((0, 1), [0, 0, 0]),
        ((0, 1, 2), [1, 0, 0]),
        ((0, 1, 60), [0, 0, 0]),
        ((0, 1, 59), [1, 0, 0]),
        ((0, 1, 59.6), [0, 0, 0]),
        ((0, 61, 122, 179), [0, 1, 0]),
        ((0, 300, 600, 900, 1200), [0, 0, 1]),
        ((0, 300, 600, 900, 1440), [0, 0, 0]),
        ((0, 0, 0, 0), [2, 1, 0]),
    ],
)
def test_a_message_beyond_the_limit_of_the_window_that_ends_with_it_is_a_breach(
    minutes: tuple[float, ...], expected: list[int]
) -> None:
    assert found(*minutes) == expected


def test_an_audited_message_is_not_counted_again() -> None:
    assert found(0, 1, 2, 3, after=NOON + 2 * MINUTE) == [1, 1, 0]


def test_a_window_shorter_than_the_tolerance_is_not_audited() -> None:
    assert found(0, 1, 2, 3, 4, tolerance=2 * HOUR) == [0, 2, 1]


@given(st.lists(st.integers(0, 300), max_size=12))
def test_messages_that_keep_every_limit_have_no_breach(minutes: list[int]) -> None:
    """The counterpart of the pacer's law: messages that keep the limits one by one are never breaches."""
    sent: list[datetime] = []
    for at in sorted(NOON + minute * MINUTE for minute in minutes):
        spans = ((HOUR, 2), (3 * HOUR, 3), (24 * HOUR, 4))
        if all(sum(each > at - span for each in sent) < most for span, most in spans):
            sent.append(at)
    assert list(breaches(sent, SMALL, NEVER, timedelta(0)).values()) == [0, 0, 0]


def counted(name: str = "spreader_limit_breaches_total") -> list[float]:
    return [REGISTRY.get_sample_value(name, {"window": window}) or 0 for window in WINDOWS]


@pytest.mark.postgres
async def test_a_breach_is_counted_once_and_only_after_the_grace_period(
    engine: AsyncEngine,
) -> None:
    harness = StatsHarness(engine, NOON, package("shop", profile("sales", limits=SMALL)))
    audit = LimitAudit(harness.store, harness.config.profiles, harness.clock, DELAYS)
    before = counted()
    await audit.turn()
    await _send(harness, audit, 1, 2, 3)  # these may have gone out under other limits
    harness.clock.forward(10 * MINUTE)
    await audit.turn()
    assert counted() == before
    await _send(harness, audit, 4, 5)
    harness.clock.forward(MINUTE)
    await audit.turn()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 2, 1]
    audit.schedule(["sales"])
    await audit.turn()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 2, 1]


@pytest.mark.postgres
async def test_a_lowered_limit_does_not_apply_to_messages_on_their_way(engine: AsyncEngine) -> None:
    harness = StatsHarness(engine, NOON, package("shop", profile("sales")))
    audit = LimitAudit(harness.store, harness.config.profiles, harness.clock, DELAYS)
    await audit.turn()
    harness.clock.forward(10 * MINUTE)
    await _send(harness, audit, 1, 2, 3)
    tighter = PackageConfigured(package=package("shop", profile("sales", limits=SMALL)), at=harness.clock())
    harness.packages.set("shop", tighter)
    before = counted()
    await _send(harness, audit, 4)
    harness.clock.forward(MINUTE)
    await audit.turn()
    harness.clock.forward(10 * MINUTE)
    await audit.turn()
    assert counted() == before
    await _send(harness, audit, 5)
    harness.clock.forward(MINUTE)
    await audit.turn()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 1]


async def _send(harness: StatsHarness, audit: LimitAudit, *numbers: int) -> None:
    await harness.receive(*(outcome(number, "sent", harness.clock()) for number in numbers))
    audit.schedule(["sales"])
