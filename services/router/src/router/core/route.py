"""Route: the profile that sends a delivery, or the reason why no profile can, now or ever."""

from dataclasses import dataclass

from spreader.contract.ids import ProfileId


@dataclass(frozen=True, slots=True)
class Route:
    profile_id: ProfileId
    reason: str


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No profile of the package can ever send the delivery."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoRouteNow:
    """No profile can send the delivery now, but a profile may be able to later. So the delivery waits."""

    reason: str


RouteResult = Route | NoRoute
ReassignResult = Route | NoRoute | NoRouteNow
