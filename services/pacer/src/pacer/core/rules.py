"""Rules: what holds for a profile, from its package's configuration and from how it fares."""

from pacer.core.gap import spread_of
from pacer.core.hours import Hours
from pacer.core.limits import in_force
from pacer.core.policy import Margins, Rules
from spreader.configuration import Package, Profile
from spreader.events import ProfileState


def rules(package: Package, profile: Profile, state: ProfileState | None, margins: Margins) -> Rules:
    """A profile that stats has not spoken of yet is taken for healthy."""
    return Rules(
        limits=in_force(profile.limits, 1.0 if state is None else state.limit_factor),
        hours=Hours(package.rest_window, package.timezone),
        gap=package.gap,
        spread=spread_of(profile.profile_id),
        margins=margins,
        concurrent_sends=package.limits.concurrent_sends,
        stopped=_stopped(package, profile, state),
    )


def _stopped(package: Package, profile: Profile, state: ProfileState | None) -> str | None:
    if package.paused:
        return "package paused"
    if profile.paused:
        return "profile paused"
    if state is not None and state.open.state == "blocked":
        return "open lane blocked"
    return None
