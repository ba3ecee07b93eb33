"""Forecast plan: which profiles of a package a forecast simulates, and how many releases of each."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreader.contract.bounds import Bound

STEPS_OF_ANSWER = 500
"""The maximum for the response to a request with an open message: simulated releases of all profiles together."""
STEPS_OF_PREVIEW = 8_000
"""The same for a preview or a what-if. Later releases are extrapolated at the same pace."""
STEPS_OF_PROFILE_MIN = 20
"""The fewest releases that show the pace of a profile. If there are too few steps for that, some profiles are not
simulated."""


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """How much waits for a profile."""

    profile_id: str
    waiting: int
    """All deliveries in its queue, including those of the message that is forecast."""
    deliveries: int
    """The deliveries that are forecast: those of the message, or the whole queue."""
    gone: int
    """How many of them are not held any more."""
    per_day: int
    """Its day limit in force."""
    stopped: Bound | None

    @property
    def forecast_waiting(self) -> int:
        return self.deliveries - self.gone


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """`steps`: how many releases of each simulated profile are simulated.

    `like`: for each of the others, a simulated profile that finishes at about the same time, or a little later.
    """

    steps: Mapping[str, int]
    like: Mapping[str, str]


def plan_forecast(loads: Sequence[QueueLoad], steps: int) -> ForecastPlan:
    """At most `steps` releases in all. Profiles that are stopped, or have nothing to
    forecast, are not in the plan.

    The profiles are ordered by how many days of work wait for them. If there are too many of them, every n-th one is
    simulated, and the last one always is, because it decides when everything is sent.
    """
    working = [load for load in loads if load.forecast_waiting and load.stopped is None]
    working.sort(key=lambda load: (load.waiting / load.per_day, load.profile_id))
    needed = sum(min(load.waiting, STEPS_OF_PROFILE_MIN) for load in working)
    count = len(working) if needed <= steps else max(len(working) * steps // needed, 1)
    places = [(number + 1) * len(working) // count - 1 for number in range(count)]
    like = {
        load.profile_id: working[places[bisect_left(places, place)]].profile_id
        for place, load in enumerate(working)
        if places[bisect_left(places, place)] != place
    }
    return ForecastPlan(_shares([working[place] for place in places], steps), like)


def _shares(loads: Sequence[QueueLoad], steps: int) -> dict[str, int]:
    """The same number of steps for each profile. What a short queue does not need is left to the longer ones."""
    shares: dict[str, int] = {}
    for number, load in enumerate(sorted(loads, key=lambda load: load.waiting)):
        shares[load.profile_id] = min(load.waiting, steps // (len(loads) - number))
        steps -= shares[load.profile_id]
    return shares
