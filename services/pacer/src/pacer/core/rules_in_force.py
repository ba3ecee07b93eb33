"""Rules: what holds for a profile, from its package's configuration and from how it fares."""

from datetime import datetime, timedelta

from pacer.core.gap import drawn, spread_of
from pacer.core.hours import Hours
from pacer.core.limits import in_force, warm_up_share
from pacer.core.policy import Margins, Rules
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import ProfileState


def rules(package: Package, profile: Profile, state: ProfileState | None, margins: Margins, now: datetime) -> Rules:
    """A profile that stats has not spoken of yet is taken for healthy."""
    factor = 1.0 if state is None else state.limit_factor
    warm_up = warm_up_share(package.warm_up, profile.warm_up_from, now)
    return Rules(
        limits=in_force(profile.limits, factor * warm_up),
        hours=Hours(package.rest_window, package.timezone, package.active_windows, _offset(package, profile)),
        gap=package.gap,
        spread=spread_of(package.package_id, profile.profile_id, package.gap.spread),
        margins=margins,
        concurrent_sends=package.limits.concurrent_sends,
        stopped=_stopped(package, profile, state),
        quiet=package.recipient_quiet_hours,
        factor=factor,
        warm_up=warm_up,
    )


def _offset(package: Package, profile: Profile) -> timedelta:
    """How much earlier or later than its package a profile rests: its own, always the same."""
    if package.rest_window is None:
        return timedelta(0)
    return timedelta(minutes=round(package.rest_window.stagger_minutes * (2 * drawn(profile.profile_id) - 1)))


def _stopped(package: Package, profile: Profile, state: ProfileState | None) -> str | None:
    if package.paused:
        return "package paused"
    if profile.paused:
        return "profile paused"
    if state is not None and state.open.state == "blocked":
        return "open lane blocked"
    return None
