"""Route: the profile that sends a delivery, or the reason why no profile can."""

from dataclasses import dataclass

from spreader.contract.ids import ProfileId


@dataclass(frozen=True, slots=True)
class Route:
    profile_id: ProfileId
    reason: str


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No profile of the package can send the delivery."""

    reason: str


RouteResult = Route | NoRoute
