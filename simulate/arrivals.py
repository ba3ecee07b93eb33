"""Arrivals: when deliveries come to a profile, and how many, for each pattern of use."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random

DAY = timedelta(days=1)
LEVELS = (25, 10, 4)
"""Queue lengths that the pattern `levels` keeps: over, at, and under the default `rush_over`."""
LEVEL_DAYS = 10

Arrival = tuple[datetime, int]
Pattern = Callable[[datetime, int, Random], Iterator[Arrival]]
"""Returns the arrivals of a number of days after a midnight, in order of time. An arrival has a time, and the number of
deliveries that come then."""


def steady(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """Deliveries come one by one from 6:00 to 18:00 UTC. On a working day about 90 come, which is more than can be
    released. On other days about 35 come."""
    for day in range(days):
        at, evening = begin + day * DAY + timedelta(hours=6), begin + day * DAY + timedelta(hours=18)
        mean = 12 * 3600 / (90 if day % 7 < 5 else 35)
        while (at := at + timedelta(seconds=rng.expovariate(1 / mean))) < evening:
            yield at, 1


def bursts(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """Two to four times a day, 15 to 40 deliveries come at once. They come at any hour, even in the rest window."""
    for day in range(days):
        for second in sorted(rng.uniform(0, 86_400) for _ in range(rng.randint(2, 4))):
            yield begin + day * DAY + timedelta(seconds=second), rng.randint(15, 40)


def campaigns(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """About every nine days, 400 to 800 deliveries come at once. In addition, five single ones come each day."""
    for day in range(days):
        times = [(rng.uniform(0, 86_400), 1) for _ in range(5)]
        if rng.random() < 1 / 9:
            times.append((rng.uniform(8 * 3600, 18 * 3600), rng.randint(400, 800)))
        for second, count in sorted(times):
            yield begin + day * DAY + timedelta(seconds=second), count


def idle_weeks(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """Weeks of bursts take turns with weeks in which nothing comes."""
    for week in range(0, days, 14):
        yield from bursts(begin + week * DAY, min(7, days - week), rng)


def no_arrivals(begin: datetime, days: int, rng: Random) -> Iterator[Arrival]:
    """No arrivals, because the pattern keeps its queues full instead."""
    yield from ()


def refill_level(pattern: str, since_begin: timedelta) -> int | None:
    """The length to which a pattern refills its queues after each release. None: the pattern does not refill its
    queues."""
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
    "rush": no_arrivals,
    "levels": no_arrivals,
}
