"""Candidates: the profiles of a package that may take a delivery, and why the others may not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice

from spreader.contract.configuration import Package, Profile
from spreader.contract.events import Lane, ProfileState
from spreader.contract.ids import ProfileId
from spreader.contract.obstacles import obstacle, session_obstacle

BACKUP = "a backup: it gets open messages only while no other profile can send"

TOLD_MAX, KEPT_MAX, CHOSEN_KEPT_MAX = 10, 10, 100
"""Without these bounds, a record of 500 recipients for 500 profiles would have 35 KB of reasons. So a text gives the
reasons of at most `TOLD_MAX` passed-over profiles. A stored record keeps the reasons of at most `CHOSEN_KEPT_MAX`
profiles with deliveries. It also keeps the reasons of at most `KEPT_MAX` passed-over profiles, and of at most
`KEPT_MAX` eligible profiles without deliveries."""

REMEMBERED_MAX = 10_000
"""The most results that are remembered. When there are this many, all are forgotten, and found again when needed."""


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
        """The reasons as one text. Each refused delivery carries this text, so it names at most TOLD_MAX profiles, and
        then only the number of the others."""
        texts = [f"{profile}: {reason}" for profile, reason in islice(self.passed_over.items(), TOLD_MAX)]
        if len(self.passed_over) > TOLD_MAX:
            texts.append(f"and {len(self.passed_over) - TOLD_MAX} more")
        return "; ".join(texts) or "it has none"

    @property
    def first_passed_over(self) -> dict[str, str]:
        """The first passed-over profiles, with their reasons. A stored record keeps only these, because it must not
        grow with the number of profiles."""
        return dict(islice(self.passed_over.items(), KEPT_MAX))


def find_candidates(
    package: Package,
    states: Mapping[str, ProfileState],
    lane: Lane,
    tried: Collection[str] = (),
) -> Candidates:
    """The candidates for a delivery of this lane, in the order of the package.

    Most deliveries have not been tried yet, so they have the same candidates. The result for them is remembered until
    the package's configuration or the state of one of its profiles changes.

    In the open lane, backup profiles are candidates only while there is no other candidate. A reply cannot wait. So in
    the reply lane, profiles whose sessions are not working become candidates too, in two cases: if there is no other
    candidate, and if the package lets no other profile answer.
    """
    if tried:
        return _find_candidates(package, states, lane, tried)
    remembered = _remembered.get((package.package_id, lane))
    if remembered is None or not remembered.holds_for(package, states):
        found = _find_candidates(package, states, lane, tried)
        remembered = _Remembered(package, tuple((each, states.get(each)) for each in package.profile_ids), found)
        if len(_remembered) >= REMEMBERED_MAX:
            _remembered.clear()
        _remembered[package.package_id, lane] = remembered
    return remembered.candidates


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The candidates of a package, and the objects that they were found from. These objects never change: a new
    configuration and a new state are other objects."""

    package: Package
    states: tuple[tuple[ProfileId, ProfileState | None], ...]
    candidates: Candidates

    def holds_for(self, package: Package, states: Mapping[str, ProfileState]) -> bool:
        return self.package is package and all(states.get(profile) is state for profile, state in self.states)


_remembered: dict[tuple[str, Lane], _Remembered] = {}


def _find_candidates(
    package: Package, states: Mapping[str, ProfileState], lane: Lane, tried: Collection[str]
) -> Candidates:
    reasons = {
        profile.profile_id: _objection(package, profile, states.get(profile.profile_id), lane, tried)
        for profile in package.profiles
    }
    if lane == "open":
        backups = {profile.profile_id for profile in package.profiles if profile.backup}
        if any(reason is None and profile_id not in backups for profile_id, reason in reasons.items()):
            reasons |= {profile_id: BACKUP for profile_id in backups if reasons[profile_id] is None}
    elif None not in reasons.values() or not package.reply_failover:
        reasons |= {
            profile_id: None
            for profile_id, reason in reasons.items()
            if reason is not None and reason == session_obstacle(states.get(profile_id))
        }
    return Candidates(
        eligible=tuple(ProfileId(profile_id) for profile_id, reason in reasons.items() if reason is None),
        passed_over={profile_id: reason for profile_id, reason in reasons.items() if reason is not None},
    )


def _objection(
    package: Package, profile: Profile, state: ProfileState | None, lane: Lane, tried: Collection[str]
) -> str | None:
    return "already tried" if profile.profile_id in tried else obstacle(package, profile, state, lane)


def _sent_last_hour(state: ProfileState | None) -> int:
    return 0 if state is None else state.windows.hour.sent
