"""Rules in force: a profile's rules, from its package's configuration and its own state."""

from datetime import datetime, timedelta

from pacer.core.gap import hash_fraction, spread_of
from pacer.core.hours import Hours
from pacer.core.limits import scaled_limits, warm_up_share
from pacer.core.policy import Margins, Rules
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import ProfileState


def rules_in_force(
    package: Package, profile: Profile, state: ProfileState | None, margins: Margins, now: datetime
) -> Rules:
    """If `state` is None, stats has not published the profile's state yet, and the profile counts as healthy."""
    factor = 1.0 if state is None else state.limit_factor
    warm_up = warm_up_share(package.warm_up, profile.warm_up_from, now)
    return Rules(
        limits=scaled_limits(profile.limits, factor * warm_up),
        hours=Hours(package.rest_window, package.timezone, package.active_windows, _rest_offset(package, profile)),
        gap=package.gap,
        spread=spread_of(package.package_id, profile.profile_id, package.gap.spread),
        margins=margins,
        concurrent_sends=package.limits.concurrent_sends,
        stopped=_stopped(package, profile, state),
        quiet=package.recipient_quiet_hours,
        factor=factor,
        warm_up=warm_up,
    )


def _rest_offset(package: Package, profile: Profile) -> timedelta:
    """How much later (negative: earlier) than its package a profile rests. It is computed from the profile's id, so it
    never changes."""
    if package.rest_window is None:
        return timedelta(0)
    return timedelta(minutes=round(package.rest_window.stagger_minutes * (2 * hash_fraction(profile.profile_id) - 1)))


def _stopped(package: Package, profile: Profile, state: ProfileState | None) -> Bound | None:
    if package.paused:
        return Bound.PACKAGE_PAUSED
    if profile.paused:
        return Bound.PROFILE_PAUSED
    if state is not None and state.open.state == "blocked":
        return Bound.OPEN_LANE_BLOCKED
    return None
