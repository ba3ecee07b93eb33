"""Arrivals: how many deliveries come to a profile, and when, for each pattern of use."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random

DAY = timedelta(days=1)
LEVELS = (25, 10, 4)
"""Queues that the pattern `levels` keeps: over the rush, exactly at it, and under it (with the default rush_over)."""
LEVEL_DAYS = 10

Arrival = tuple[datetime, int]
Pattern = Callable[[datetime, int, Random], Iterator[Arrival]]
"""From a midnight on, for so many days: moments in order, each with the deliveries that come to a profile then."""


def steady(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """One by one from 6 to 18 UTC: about 90 on a working day, more than can go at once, and 35 on others."""
    for day in range(days):
        moment, evening = begin + day * DAY + timedelta(hours=6), begin + day * DAY + timedelta(hours=18)
        mean = 12 * 3600 / (90 if day % 7 < 5 else 35)
        while (moment := moment + timedelta(seconds=rng.expovariate(1 / mean))) < evening:
            yield moment, 1


def bursts(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """Two to four times a day 15 to 40 at once, at any hour, also in the rest."""
    for day in range(days):
        for second in sorted(rng.uniform(0, 86_400) for _ in range(rng.randint(2, 4))):
            yield begin + day * DAY + timedelta(seconds=second), rng.randint(15, 40)


def campaigns(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """Every nine days or so 400 to 800 at once, and five single ones a day."""
    for day in range(days):
        moments = [(rng.uniform(0, 86_400), 1) for _ in range(5)]
        if rng.random() < 1 / 9:
            moments.append((rng.uniform(8 * 3600, 18 * 3600), rng.randint(400, 800)))
        for second, count in sorted(moments):
            yield begin + day * DAY + timedelta(seconds=second), count


def idle_weeks(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """A week of bursts, then a week of nothing."""
    for week in range(0, days, 14):
        yield from bursts(begin + week * DAY, min(7, days - week), rng)


def nothing(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """None come by themselves: the pattern keeps its queues full instead."""
    yield from ()


def kept(pattern: str, since_begin: timedelta) -> int | None:
    """How many wait at every moment, for a pattern that refills its queues as they go; None: it does not."""
    match pattern:
        case "rush":
            return LEVELS[0]
        case "levels":
            return LEVELS[since_begin // (LEVEL_DAYS * DAY) % len(LEVELS)]
        case _:
            return None


PATTERNS: dict[str, Pattern] = {
    "steady": steady,
    "bursts": bursts,
    "campaigns": campaigns,
    "idle weeks": idle_weeks,
    "rush": nothing,
    "levels": nothing,
}
