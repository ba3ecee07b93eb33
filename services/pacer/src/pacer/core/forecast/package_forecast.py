"""Package forecast: simulates the profiles of a package by a plan, and extrapolates what the plan leaves out."""

import pickle
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pacer.core.forecast.extrapolation import Curve, even_curve, hour_of, scaled_curve
from pacer.core.forecast.lifted_rules import lifted
from pacer.core.forecast.long_run import LongRun
from pacer.core.forecast.plan import STEPS_OF_LIFTED, STEPS_OF_PREVIEW, ForecastPlan, QueueLoad, plan_forecast
from pacer.core.forecast.queue_snapshot import QueueSnapshot
from pacer.core.forecast.tally import ReleaseTally, fixed_position, simulated_profile
from pacer.core.limits import DAY
from pacer.core.simulation import Simulation
from spreader.contract.bounds import Bound

LOOKS_OF_A_STEP = 20
"""A step is one simulated release, and a look is one decision about a profile. A simulation has at most this many
looks, times the number of its steps. Then it ends early. A release usually takes 2 or 3 looks. But while the package's
own limit is full, each release takes a look at every profile."""
HORIZON = timedelta(days=400)
"""How far a simulation and the curve go."""
EXTRAPOLATED_MAX = timedelta(days=36_500)
HELP_MIN = 0.1
"""A bound counts as decisive only if its lifting saves at least this share of the time."""


@dataclass(frozen=True, slots=True)
class ProfileForecast:
    """`completion` is None if the profile is stopped, or cannot release all deliveries within HORIZON."""

    completion: datetime | None
    deliveries: int
    binds: str
    """The bound that most of the profile's releases wait for. Empty: they wait for no bound."""


@dataclass(frozen=True, slots=True)
class PackageForecast:
    profiles: Mapping[str, ProfileForecast]
    curve: Mapping[datetime, Mapping[str, int]]
    """How many deliveries each profile releases in each hour. The key of an hour is the time at which it begins, in
    UTC."""
    counted_until: datetime | None
    """The curve is simulated up to this time. After it, the curve is extrapolated from the simulated pace. None: the
    whole curve is simulated."""
    simulated: int
    """How many releases were simulated."""
    decisive: str = ""
    """The bound whose lifting would bring the completion forward most. Empty: none would, or it was not computed."""

    @property
    def completion(self) -> datetime | None:
        """The time of the last release. None: there are no deliveries, or a profile with deliveries has no
        completion."""
        ends = [profile.completion for profile in self.profiles.values() if profile.deliveries]
        finite = [end for end in ends if end is not None]
        return max(finite) if finite and len(finite) == len(ends) else None

    @property
    def binds(self) -> str:
        """The decisive bound. If there is none, the bound that most deliveries wait for. Empty: they wait for none."""
        if self.decisive:
            return self.decisive
        held = Counter[str]()
        for profile in self.profiles.values():
            if profile.binds:  # empty if all its deliveries are gone
                held[profile.binds] += profile.deliveries
        return held.most_common(1)[0][0] if held else ""


@dataclass(frozen=True, slots=True)
class ForecastTask:
    """What a forecast needs. `loads` has all profiles, and `snapshots` those that the plan simulates.

    `per_day`: the package's own daily limit. `past`: the package's releases of the last day.
    """

    package_id: str
    loads: Sequence[QueueLoad]
    plan: ForecastPlan
    snapshots: Sequence[QueueSnapshot]
    per_day: int | None
    past: Sequence[datetime]
    now: datetime
    with_curve: bool = True

    def forecast(self) -> PackageForecast:
        """Simulate the releases of the plan, and extrapolate the others."""
        tallies, simulation = self._simulate()
        forecasts, curves = self._of_simulated(tallies, simulation)
        for load in self.loads:
            if (other := self.plan.like.get(load.profile_id)) is not None:
                forecasts[load.profile_id] = replace(forecasts[other], deliveries=load.deliveries)
                if curves[other]:
                    curves[load.profile_id] = scaled_curve(curves[other], load.forecast_waiting)
            elif load.profile_id not in forecasts:
                completion = None if load.forecast_waiting else self.now
                binds = load.stopped or "" if load.forecast_waiting else ""
                forecasts[load.profile_id] = ProfileForecast(completion, load.deliveries, binds)
        for load in self.loads:
            if load.gone:
                curves.setdefault(load.profile_id, Curve())[hour_of(self.now)] += load.gone
        return PackageForecast(
            {load.profile_id: forecasts[load.profile_id] for load in self.loads},
            _by_hour(curves) if self.with_curve else {},
            self._counted_until(tallies, simulation),
            sum(tally.count for tally in tallies),
            self._decisive(forecasts) if self.with_curve else "",
        )

    def _decisive(self, forecasts: Mapping[str, ProfileForecast]) -> str:
        """The bound whose lifting brings the end of the last profile forward most. Each bound is lifted alone, and the
        profile is simulated again for a few releases."""
        last = max(
            (each for each in self.snapshots if forecasts[each.profile_id].completion is not None),
            key=lambda each: forecasts[each.profile_id].completion or self.now,
            default=None,
        )
        end = None if last is None else self._end_of(last)
        if last is None or end is None:
            return ""
        ends = {Bound.PACKAGE_DAY_LIMIT: replace(self, per_day=None)._end_of(last)} if self.per_day else {}
        for bound in Bound:
            if (rules := lifted(last.rules, bound)) is not None:
                ends[bound] = self._end_of(replace(last, rules=rules))
        sooner = {bound: end - each for bound, each in ends.items() if each is not None}
        best = max(sooner, key=lambda bound: sooner[bound], default=None)
        return best if best is not None and sooner[best] > HELP_MIN * (end - self.now) else ""

    def _end_of(self, snapshot: QueueSnapshot) -> datetime | None:
        """When this profile is done. Only this profile is simulated. It gets its part of the package's own limit."""
        others = (load.profile_id for load in self.loads if load.forecast_waiting and load.stopped is None)
        like = {each: snapshot.profile_id for each in others if each != snapshot.profile_id}
        plan = ForecastPlan({snapshot.profile_id: min(snapshot.load.waiting, STEPS_OF_LIFTED)}, like)
        task = replace(self, plan=plan, snapshots=[snapshot], with_curve=False)
        return task.forecast().profiles[snapshot.profile_id].completion

    def _simulate(self) -> tuple[list[ReleaseTally], Simulation]:
        numbers = {load.profile_id: number for number, load in enumerate(self.loads)}
        tallies: dict[str, ReleaseTally] = {}
        for snapshot in self.snapshots:
            position = fixed_position(numbers[snapshot.profile_id], len(self.loads), snapshot.load.waiting)
            simulated = simulated_profile(snapshot, self.plan.steps[snapshot.profile_id], position)
            tallies[snapshot.profile_id] = ReleaseTally(snapshot, simulated)
        per_day, past = self._share_of_package()
        profiles = [tally.profile for tally in tallies.values()]
        looks_max = LOOKS_OF_A_STEP * max(sum(self.plan.steps.values()), 1)
        simulation = Simulation(self.package_id, profiles, self.now, per_day, past, looks_max=looks_max)
        simulation.wake()
        for release in simulation.run(self.now + HORIZON):
            tallies[release.profile_id].record(release)
        return list(tallies.values()), simulation

    def _share_of_package(self) -> tuple[int | None, list[datetime]]:
        """The package's own limit and its past releases. If only some profiles are simulated, they get a part of both,
        in proportion to the deliveries that wait for them."""
        past = sorted(self.past)
        if self.per_day is None or not self.plan.like:
            return self.per_day, past
        waiting = {load.profile_id: load.waiting for load in self.loads}
        simulated = sum(waiting[profile_id] for profile_id in self.plan.steps)
        total = simulated + sum(waiting[profile_id] for profile_id in self.plan.like)
        thinned = [
            at
            for number, at in enumerate(past)
            if (number + 1) * simulated // total > number * simulated // total  # evenly spread
        ]
        return max(self.per_day * simulated // total, 1), thinned

    def _of_simulated(
        self, tallies: Iterable[ReleaseTally], simulation: Simulation
    ) -> tuple[dict[str, ProfileForecast], dict[str, Curve]]:
        """The forecasts and curves of the simulated profiles."""
        forecasts: dict[str, ProfileForecast] = {}
        curves: dict[str, Curve] = {}
        cut_end = _end_after_cut(tallies, simulation, self.now)
        for tally in tallies:
            profile_id, deliveries = tally.snapshot.profile_id, tally.snapshot.load.deliveries
            curves[profile_id] = tally.curve
            if not tally.forecast_left:
                forecasts[profile_id] = ProfileForecast(tally.last_forecast, deliveries, tally.bound)
                continue
            if tally.snapshot.is_endless:
                forecasts[profile_id] = ProfileForecast(None, deliveries, tally.profile.bound)
                continue
            begin = simulation.now if tally.is_cut else tally.last or self.now
            is_own_pace = not simulation.is_cut and tally.bound != Bound.PACKAGE_DAY_LIMIT
            position = tally.profile.fixed_position
            long_run = LongRun(tally.snapshot, tally.times, begin, self.now, position, is_own_pace)
            end = max(long_run.end(), self._end_of_package(tally), cut_end or self.now)
            end = min(end, self.now + EXTRAPOLATED_MAX)
            gap = max(end - begin, timedelta(0)) / tally.left
            first = begin + gap * (tally.left - tally.forecast_left + 1)
            curves[profile_id] = tally.curve + even_curve(first, gap, tally.forecast_left, self.now + HORIZON)
            end = max(end, tally.snapshot.last_scheduled(self.now))
            forecasts[profile_id] = ProfileForecast(end, deliveries, tally.bound)
        return forecasts, curves

    def _end_of_package(self, tally: ReleaseTally) -> datetime:
        """When the package's own daily limit lets the last delivery of the package go. This matters only for a profile
        that this limit holds, and for the profile with the longest queue. For all others, and without such a limit, the
        result is now."""
        working = [load for load in self.loads if load.stopped is None]
        is_longest = tally.snapshot.load.waiting == max(load.waiting for load in working)
        if self.per_day is None or not (is_longest or tally.bound == Bound.PACKAGE_DAY_LIMIT):
            return self.now
        past = sorted(self.past)[-self.per_day :]
        days, place = divmod(len(past) + sum(load.waiting for load in working) - 1, self.per_day)
        return (past[place] if place < len(past) else self.now) + days * DAY

    def _counted_until(self, tallies: Iterable[ReleaseTally], simulation: Simulation) -> datetime | None:
        if self.plan.like:
            return self.now
        ends = [tally.last for tally in tallies if tally.left and not tally.is_cut and tally.last is not None]
        if simulation.is_cut:
            ends.append(simulation.now)
        return min(ends, default=None)


def forecast_package(
    package_id: str,
    snapshots: Sequence[QueueSnapshot],
    per_day: int | None,
    past: Sequence[datetime],
    now: datetime,
    steps: int = STEPS_OF_PREVIEW,
) -> PackageForecast:
    """The forecast of these profiles with at most `steps` simulated releases."""
    loads = [snapshot.load for snapshot in snapshots]
    plan = plan_forecast(loads, steps)
    simulated = [snapshot for snapshot in snapshots if snapshot.profile_id in plan.steps]
    return ForecastTask(package_id, loads, plan, simulated, per_day, past, now).forecast()


def _end_after_cut(tallies: Iterable[ReleaseTally], simulation: Simulation, now: datetime) -> datetime | None:
    """When all that is left will be released, at the pace that the simulated package had until the simulation was cut.
    None: the simulation was not cut, or it released nothing."""
    count = sum(tally.count for tally in tallies)
    if not simulation.is_cut or not count:
        return None
    left = sum(tally.left for tally in tallies if tally.is_cut)
    return simulation.now + min((simulation.now - now) / count * left, EXTRAPOLATED_MAX)


def _by_hour(curves: Mapping[str, Curve]) -> dict[datetime, dict[str, int]]:
    hours: dict[datetime, dict[str, int]] = defaultdict(dict)
    for profile_id, curve in curves.items():
        for hour, deliveries in curve.items():
            hours[hour][profile_id] = deliveries
    return dict(sorted(hours.items()))


def forecast_of(task: bytes) -> PackageForecast:
    """The forecast of a pickled `ForecastTask`. The pacer's child process calls this function."""
    unpickled: ForecastTask = pickle.loads(task)  # noqa: S301  # from the pacer that started the child
    return unpickled.forecast()
