"""Obstacle: why a profile cannot send in a lane now. Router and pacer must agree on it, so it is defined once."""

from spreader.contract.configuration import Package, Profile
from spreader.contract.events import Lane, ProfileState


def obstacle(package: Package, profile: Profile, state: ProfileState | None, lane: Lane) -> str | None:
    """Why the profile cannot send in the lane. None: it can, though its limits may make it wait.

    A profile without a state can send. It is new, so stats has not published its state yet.
    """
    if profile.paused:
        return "paused by an operator"
    if package.paused and lane == "open":
        return "the package is paused by an operator"
    if state is None:
        return None
    lane_state = state.open if lane == "open" else state.reply
    if lane_state.state == "blocked":
        return f"blocked for the {lane} lane" + (f": {lane_state.cause}" if lane_state.cause else "")
    return session_obstacle(state)


def session_obstacle(state: ProfileState | None) -> str | None:
    """Why the session keeps the profile from sending. None: it works, or the gateway has not reported on the
    session."""
    if state is None or state.session in (None, "working"):
        return None
    return f"its session is {state.session}"
