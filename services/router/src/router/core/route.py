"""Way: the profile that a delivery goes through, or why there is none."""

from dataclasses import dataclass

from spreader.contract.ids import ProfileId


@dataclass(frozen=True, slots=True)
class Route:
    """It goes through this profile."""

    profile_id: ProfileId
    reason: str


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No profile of the package can take it."""

    reason: str


RouteResult = Route | NoRoute
