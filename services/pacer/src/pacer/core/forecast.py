"""Forecast: when the waiting deliveries of a package will be released, from a simulation of the release policy."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import sqrt
from statistics import NormalDist

from pacer.core.policy import HeldDelivery, Rules
from pacer.core.simulation import SimulatedProfile, SimulatedRelease, Simulation

STEPS_MAX = 8_000  # simulated releases of all profiles together; later releases are extrapolated at the same pace
STEPS_OF_A_PROFILE = (40, 1_000)  # the fewest and the most for one profile
HORIZON = timedelta(days=400)
UNIFORM_DEVIATION = 1 / sqrt(12)  # the standard deviation of a uniform draw between 0 and 1

ADDED_PREFIX = "added/"
"""The prefix of the delivery ids of the message that is forecast."""


@dataclass(frozen=True, slots=True)
class QueuePart:
    """Held deliveries with the same rank, contact class and release time."""

    count: int
    rank: int
    cold: bool
    not_before: datetime


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The state of a profile from which a forecast starts.

    If the deliveries of a message are given (`added`, `gone`), the forecast is for that message. Otherwise it is for
    the whole queue.
    """

    profile_id: str
    rules: Rules
    releases: Sequence[datetime]
    """The profile's newest releases: those of the last day, and those of the longest possible slack before that day."""
    contacts: Sequence[datetime]
    """The releases of the last 30 days to cold contacts that have not answered."""
    ahead: Sequence[QueuePart]
    added: Sequence[HeldDelivery] = ()
    """The message's held deliveries. They are released after those in `ahead`."""
    gone: int = 0
    """The number of the message's deliveries that are not held any more. They count as released at the begin of the
    forecast."""
    position: float = 0.5
    """The position of the next gap in its range, as in `Facts`."""

    @property
    def of_message(self) -> bool:
        return bool(self.added or self.gone)

    @property
    def deliveries(self) -> int:
        """The number of deliveries that are forecast."""
        return len(self.added) + self.gone if self.of_message else self.queue_size

    @property
    def queue_size(self) -> int:
        return sum(part.count for part in self.ahead) + len(self.added)


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
    """How many deliveries each profile releases in each hour. The key of an hour is its begin in UTC."""
    counted_until: datetime | None
    """The curve is simulated up to this time. After it, the curve is extrapolated from the simulated pace. None: the
    whole curve is simulated."""

    @property
    def completion(self) -> datetime | None:
        """The time of the last release. None: there are no deliveries, or a profile with deliveries has no
        completion."""
        ends = [profile.completion for profile in self.profiles.values() if profile.deliveries]
        finite = [end for end in ends if end is not None]
        return max(finite) if finite and len(finite) == len(ends) else None

    @property
    def binds(self) -> str:
        """The bound that most deliveries wait for. Empty: they wait for no bound."""
        held = Counter[str]()
        for profile in self.profiles.values():
            if profile.binds:  # empty if all its deliveries are gone
                held[profile.binds] += profile.deliveries
        return held.most_common(1)[0][0] if held else ""


@dataclass
class _Tally:
    """The simulated releases of one profile so far, and the bounds that they waited for."""

    releases: list[datetime] = field(default_factory=list[datetime])
    binds: Counter[str] = field(default_factory=Counter[str])
    forecast: int = 0
    """How many of these releases belong to deliveries that are forecast. The others are ahead of the message."""

    def record(self, release: SimulatedRelease, is_forecast: bool) -> None:
        self.releases.append(release.at)
        self.binds[release.waited_for] += 1
        self.forecast += is_forecast


def forecast_package(
    package_id: str, snapshots: Sequence[QueueSnapshot], per_day: int | None, past: Sequence[datetime], now: datetime
) -> PackageForecast:
    """Simulate the package's next releases, up to STEPS_MAX, and extrapolate the others.

    `per_day`: the package's own daily limit. `past`: the package's releases of the last day.
    """
    fewest, most = STEPS_OF_A_PROFILE
    count = len(snapshots)
    steps = min(max(STEPS_MAX // max(count, 1), fewest), most)
    profiles = [
        _simulated(snapshot, steps, _fixed_position(number, count, snapshot.queue_size))
        for number, snapshot in enumerate(snapshots)
    ]
    simulation = Simulation(package_id, profiles, now, per_day, sorted(past))
    simulation.wake()
    tallies = {snapshot.profile_id: _Tally() for snapshot in snapshots}
    curve: dict[datetime, Counter[str]] = defaultdict(Counter)
    whole_queues = {snapshot.profile_id for snapshot in snapshots if not snapshot.of_message}
    for snapshot in snapshots:
        if snapshot.gone:
            curve[_hour(now)][snapshot.profile_id] += snapshot.gone
    for release in simulation.run(now + HORIZON):
        is_forecast = release.profile_id in whole_queues or release.delivery.delivery_id.startswith(ADDED_PREFIX)
        tallies[release.profile_id].record(release, is_forecast)
        if is_forecast:
            curve[_hour(release.at)][release.profile_id] += 1
    forecasts = {
        snapshot.profile_id: _forecast(snapshot, tallies[snapshot.profile_id], profile, curve, now)
        for snapshot, profile in zip(snapshots, profiles, strict=True)
    }
    last_simulated = [
        tallies[snapshot.profile_id].releases[-1]
        for snapshot in snapshots
        if snapshot.queue_size > steps and tallies[snapshot.profile_id].releases
    ]
    return PackageForecast(forecasts, dict(sorted(curve.items())), min(last_simulated, default=None))


def _fixed_position(number: int, profiles: int, deliveries: int) -> float:
    """The position, from 0 (shortest) to 1 (longest), that the forecast uses for every gap of profile `number`.

    In reality each gap is drawn at random, so some profiles end earlier than others, and the last one decides when the
    message is complete. If all profiles had the position 0.5 here, they would all end at the same time, which is
    earlier than the last one ends in reality. So each profile gets another position, and the positions differ as much
    as the means of real draws are expected to differ. They are Blom's normal scores, scaled by the standard deviation
    of a mean of uniform draws, with one draw for each gap.
    """
    score = NormalDist().inv_cdf((number + 1 - 0.375) / (profiles + 0.25))
    gaps = max(deliveries - 1, 1)  # the gap before the first release is not drawn here
    return min(max(0.5 + score * UNIFORM_DEVIATION / sqrt(gaps), 0.0), 1.0)


def _simulated(snapshot: QueueSnapshot, steps: int, fixed_position: float) -> SimulatedProfile:
    profile = SimulatedProfile(
        snapshot.profile_id,
        snapshot.rules,
        sorted(snapshot.releases),
        sorted(snapshot.contacts),
        position=snapshot.position,
        fixed_position=fixed_position,
    )
    room = steps
    for number, part in enumerate(sorted(snapshot.ahead, key=lambda part: (part.not_before, part.rank))):
        fitting = min(part.count, room)
        profile.queue.add(
            HeldDelivery(f"ahead/{number}/{index}", part.rank, part.not_before, cold=part.cold)
            for index in range(fitting)
        )
        room -= fitting
    profile.queue.add(snapshot.added[:room])
    return profile


def _forecast(
    snapshot: QueueSnapshot,
    tally: _Tally,
    profile: SimulatedProfile,
    curve: dict[datetime, Counter[str]],
    now: datetime,
) -> ProfileForecast:
    """The profile's forecast from its simulated releases. Adds the extrapolated releases to `curve`."""
    if snapshot.deliveries == snapshot.gone:
        return ProfileForecast(now, snapshot.deliveries, "")
    stopped = snapshot.rules.stopped
    if stopped is not None or not tally.releases or len(profile.queue):
        return ProfileForecast(None, snapshot.deliveries, stopped or profile.bound)
    binds = tally.binds.most_common(1)[0][0]
    not_simulated = snapshot.deliveries - snapshot.gone - tally.forecast
    if not not_simulated:
        return ProfileForecast(tally.releases[-1], snapshot.deliveries, binds)
    mean_gap = (tally.releases[-1] - tally.releases[0]) / max(len(tally.releases) - 1, 1)
    ahead = snapshot.queue_size - len(tally.releases) - not_simulated
    for number in range(not_simulated):
        curve[_hour(tally.releases[-1] + mean_gap * (ahead + number + 1))][snapshot.profile_id] += 1
    last_scheduled = max((delivery.not_before for delivery in snapshot.added), default=now)
    completion = max(tally.releases[-1] + mean_gap * (ahead + not_simulated), last_scheduled)
    return ProfileForecast(completion, snapshot.deliveries, binds)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
