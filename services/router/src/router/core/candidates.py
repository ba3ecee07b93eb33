"""Candidates: the profiles of a package that may take a delivery, and why the others may not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from spreader.contract.configuration import Package, Profile
from spreader.contract.events import Lane, ProfileState
from spreader.contract.ids import ProfileId


@dataclass(frozen=True, slots=True)
class Candidates:
    eligible: tuple[ProfileId, ...]
    passed_over: Mapping[str, str] = field(default_factory=dict[str, str])
    """The reason for each profile that is not eligible."""

    def calmest(self, states: Mapping[str, ProfileState]) -> ProfileId:
        """The eligible profile that sent least in the last hour. There must be an eligible one."""
        return min(self.eligible, key=lambda profile_id: (_sent_last_hour(states.get(profile_id)), profile_id))

    @property
    def reasons(self) -> str:
        return "; ".join(f"{profile}: {reason}" for profile, reason in self.passed_over.items()) or "it has none"


def find_candidates(
    package: Package,
    states: Mapping[str, ProfileState],
    lane: Lane,
    tried: Collection[str] = (),
) -> Candidates:
    """The candidates for a delivery of this lane, in the order of the package.

    A profile without a state is eligible, because stats has not published a state of a new profile yet.
    """
    reasons = {
        profile.profile_id: _objection(package, profile, states.get(profile.profile_id), lane, tried)
        for profile in package.profiles
    }
    return Candidates(
        eligible=tuple(ProfileId(profile_id) for profile_id, reason in reasons.items() if reason is None),
        passed_over={profile_id: reason for profile_id, reason in reasons.items() if reason is not None},
    )


def _objection(
    package: Package, profile: Profile, state: ProfileState | None, lane: Lane, tried: Collection[str]
) -> str | None:
    if profile.profile_id in tried:
        return "already tried"
    if profile.paused:
        return "paused by an operator"
    if package.paused and lane == "open":
        return "the package is paused by an operator"
    if state is not None:
        lane_state = state.open if lane == "open" else state.reply
        if lane_state.state == "blocked":
            return f"blocked for the {lane} lane" + (f": {lane_state.cause}" if lane_state.cause else "")
    return None


def _sent_last_hour(state: ProfileState | None) -> int:
    return 0 if state is None else state.windows.hour.sent
