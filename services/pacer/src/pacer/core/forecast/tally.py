"""Tally: a profile in the simulation of a forecast, and what it has released there."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import sqrt
from statistics import NormalDist

from pacer.core.forecast.extrapolation import Curve, hour_of
from pacer.core.forecast.message_share import ADDED_PREFIX
from pacer.core.forecast.queue_snapshot import QueueSnapshot
from pacer.core.policy import HeldDelivery
from pacer.core.simulation import SimulatedProfile, SimulatedRelease

UNIFORM_DEVIATION = 1 / sqrt(12)  # the standard deviation of a uniform draw between 0 and 1


@dataclass
class ReleaseTally:
    """The simulated releases of one profile, and the bounds that they waited for."""

    snapshot: QueueSnapshot
    profile: SimulatedProfile
    times: list[datetime] = field(default_factory=list[datetime])
    """The simulated releases, in order."""
    last_forecast: datetime | None = None
    """The last release of a delivery that is forecast. Deliveries ahead of the message do not count here."""
    binds: Counter[str] = field(default_factory=Counter[str])
    curve: Curve = field(default_factory=Curve)
    """The releases of the deliveries that are forecast."""

    def record(self, release: SimulatedRelease) -> None:
        self.times.append(release.at)
        self.binds[release.waited_for] += 1
        if not self.snapshot.of_message or release.delivery.delivery_id.startswith(ADDED_PREFIX):
            self.last_forecast = release.at
            self.curve[hour_of(release.at)] += 1

    @property
    def count(self) -> int:
        return len(self.times)

    @property
    def last(self) -> datetime | None:
        return self.times[-1] if self.times else None

    @property
    def left(self) -> int:
        """How much of the profile's queue was not released in the simulation."""
        return self.snapshot.load.waiting - self.count

    @property
    def forecast_left(self) -> int:
        return self.snapshot.load.forecast_waiting - self.curve.total()

    @property
    def is_cut(self) -> bool:
        """Whether the simulation ended while this profile still had simulated deliveries in its queue."""
        return len(self.profile.queue) > 0

    @property
    def bound(self) -> str:
        return self.binds.most_common(1)[0][0] if self.binds else self.profile.bound


def fixed_position(number: int, profiles: int, deliveries: int) -> float:
    """The position, from 0 (shortest) to 1 (longest), that the forecast uses for every gap of profile `number`.

    In reality each gap is drawn at random. So some profiles end earlier than others, and the last one decides when the
    message is complete. If all profiles had the position 0.5 here, they would all end at the same time. In reality the
    last one ends later than that. So each profile gets its own position. The positions differ as much as the mean
    positions of real draws are expected to differ. They are Blom's normal scores, scaled by the standard deviation of
    the mean of uniform draws, with one draw for each gap.
    """
    score = NormalDist().inv_cdf((number + 1 - 0.375) / (profiles + 0.25))
    gaps = max(deliveries - 1, 1)  # the gap before the first release is not drawn here
    return min(max(0.5 + score * UNIFORM_DEVIATION / sqrt(gaps), 0.0), 1.0)


def simulated_profile(snapshot: QueueSnapshot, steps: int, fixed_position: float) -> SimulatedProfile:
    """The profile with the first `steps` deliveries of its queue.

    The recipient limit is left out. A real message has each recipient once, but a forecast knows only some recipients
    and uses them again and again.
    """
    limits = snapshot.rules.limits.model_copy(update={"per_recipient_per_day": None})
    profile = SimulatedProfile(
        snapshot.profile_id,
        replace(snapshot.rules, limits=limits),
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
