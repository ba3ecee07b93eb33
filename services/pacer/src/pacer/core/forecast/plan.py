"""Forecast plan: which profiles of a package a forecast simulates, and how many releases of each."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreader.contract.bounds import Bound

STEPS_OF_ANSWER = 500
"""The response to a request with an open message contains a forecast. It simulates at most this many releases, counted
over all profiles."""
STEPS_OF_PREVIEW = 8_000
"""A preview or a what-if simulates at most this many releases, counted over all profiles. Later releases are
extrapolated at the simulated pace."""
STEPS_OF_LIFTED = 60
"""To find the bound that holds most, a preview simulates this many releases of one profile again for each bound."""
STEPS_OF_PROFILE_MIN = 20
"""Fewer simulated releases would not show the pace of a profile. If there are too few steps to give every profile this
many, some profiles are not simulated."""


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """How much waits for a profile."""

    profile_id: str
    waiting: int
    """All deliveries in its queue, including those of the message that is forecast."""
    deliveries: int
    """The deliveries that are forecast: those of the message, or the whole queue."""
    gone: int
    """How many of the forecast deliveries are not held any more."""
    per_day: int
    """The profile's daily limit in force."""
    stopped: Bound | None

    @property
    def forecast_waiting(self) -> int:
        return self.deliveries - self.gone


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """`steps`: how many releases of each simulated profile are simulated.

    `like`: for each profile that is not simulated, a simulated one that finishes at about the same time, or a little
    later.
    """

    steps: Mapping[str, int]
    like: Mapping[str, str]


def plan_forecast(loads: Sequence[QueueLoad], steps: int) -> ForecastPlan:
    """A plan with at most `steps` releases in all. Profiles that are stopped, or have nothing to forecast, are not in
    the plan.

    The profiles are ordered by how many days of work wait for them. If there are too many profiles, only every n-th one
    is simulated. The last one is always simulated, because it decides when everything is sent.
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
    """Each profile gets the same number of steps. Steps that a short queue does not need go to the longer queues."""
    shares: dict[str, int] = {}
    for number, load in enumerate(sorted(loads, key=lambda load: load.waiting)):
        shares[load.profile_id] = min(load.waiting, steps // (len(loads) - number))
        steps -= shares[load.profile_id]
    return shares
