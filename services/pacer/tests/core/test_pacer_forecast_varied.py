"""Extrapolated forecasts of varied packages are near the full simulation, and each living profile has a completion."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random

import pytest

from pacer.core.forecast.message_share import MessageShare
from pacer.core.forecast.package_forecast import PackageForecast, forecast_package
from pacer.core.forecast.plan import STEPS_OF_ANSWER
from pacer.core.forecast.queue_snapshot import QueuePart, QueueSnapshot
from pacer.core.hours import Hours
from pacer.core.policy import Margins, Rules
from pacer.core.schedule import ORDINARY
from spreader.contract.configuration import Gap, ProfileLimits, QuietHours, RestWindow
from spreader.contract.events import OpenOptions

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARGINS = Margins(timedelta(minutes=1), timedelta(0))
RESTS = (None, None, RestWindow(start=time(1), hours=4), RestWindow(start=time(22), hours=10))


@dataclass
class Varied:
    """A package whose limits, rest, past and queues are drawn by the seed."""

    seed: int

    def __post_init__(self) -> None:
        draw = Random(self.seed)
        self.now = NOON + draw.randrange(24) * HOUR
        self.count = draw.choice([1, 2, 3, 5, 10, 25, 60])
        self.total = draw.randint(600, 2_000)
        self.per_day = draw.choice([20, 50, 120, 300, 1_000])
        self.of_package = draw.choice([None, None, None, 200, 1_000])
        self.hours = Hours(draw.choice(RESTS), "Africa/Cairo")
        self.limits = ProfileLimits(
            per_hour=max(self.per_day // draw.choice([4, 8, 12]), 1),
            per_3_hours=max(self.per_day // draw.choice([2, 3]), 1),
            per_day=self.per_day,
            new_contacts_per_day=draw.choice([None, None, None, 40]),
            unanswered_per_30_days=draw.choice([None, None, None, 400]),
        )
        ahead = draw.choice([0, 0, 1])
        self.snapshots = [self._snapshot(number, ahead, draw) for number in range(self.count)]

    def _snapshot(self, number: int, ahead: int, draw: Random) -> QueueSnapshot:
        each = round(self.total / self.count * draw.uniform(0.7, 1.3))
        rules = Rules(self.limits, self.hours, Gap(), 0.4, MARGINS, 10)
        past = sorted(self.now - draw.random() * 24 * HOUR for _ in range(draw.choice([0, 0, self.per_day // 2])))
        parts = [QueuePart(each // 2, ORDINARY, False, self.now)] if ahead else []
        indexes = range(number, number + (each - each // 2 * ahead) * self.count, self.count)
        share = MessageShare(f"p{number}", OpenOptions(), (), self.now, self.total, indexes)
        return QueueSnapshot(f"p{number}", rules, past, [], parts, share)

    def forecast(self, *steps: int) -> PackageForecast:
        past = sorted(at for snapshot in self.snapshots for at in snapshot.releases)
        past = past[-self.of_package :] if self.of_package else []
        return forecast_package("one", self.snapshots, self.of_package, past, self.now, *steps)

    def ratio(self) -> float:
        """The time of the answer, divided by that of the full simulation."""
        answer, full = self.forecast(STEPS_OF_ANSWER), self.forecast()
        assert answer.counted_until is not None
        assert answer.completion is not None
        assert full.completion is not None
        return (answer.completion - self.now) / (full.completion - self.now)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 14])
def test_an_extrapolated_time_is_near_the_simulated_one_whatever_the_package_is(seed: int) -> None:
    """Red before with seed 14: 0.76. It is less near where the package's own limit is nearly as large as the queue."""
    assert Varied(seed).ratio() == pytest.approx(1, abs=0.2)


def quiet_profile(per_day: int, waiting: int, past: list[datetime]) -> QueueSnapshot:
    limits = ProfileLimits(per_hour=1, per_3_hours=1, per_day=per_day)
    quiet = QuietHours(start=time(21), hours=12)
    rules = Rules(limits, Hours(None, "UTC"), Gap(), 0.4, MARGINS, 10, quiet=quiet)
    return QueueSnapshot("p", rules, past, [], [QueuePart(waiting, ORDINARY, False, NOON)])


def test_a_profile_with_quiet_hours_and_long_gaps_has_a_completion() -> None:
    """Red before: the looks every five minutes used up the simulation before the first release."""
    forecast = forecast_package("one", [quiet_profile(3, 1, [NOON - HOUR])], None, [], NOON, STEPS_OF_ANSWER)
    assert forecast.completion is not None
    assert HOUR < forecast.completion - NOON < 48 * HOUR


def test_a_queue_that_takes_more_than_the_horizon_has_a_completion() -> None:
    """Red before: null, although the profile works. Where so few are expected, a gap in a rush is four days."""
    limits = ProfileLimits(per_hour=1, per_3_hours=1, per_day=1)
    rules = Rules(limits, Hours(None, "UTC"), Gap(), 0.4, MARGINS, 10)
    queue = QueueSnapshot("p", rules, [], [], [QueuePart(500, ORDINARY, False, NOON)])
    forecast = forecast_package("one", [queue], None, [], NOON, STEPS_OF_ANSWER)
    assert forecast.completion is not None
    assert (forecast.completion - NOON) / (24 * HOUR) == pytest.approx(2_000, rel=0.1)
