"""Profile list: which profiles a page shows, in the order of their packages and ids."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from spreader.contract.configuration import Package, Profile
from spreader.contract.events import ProfileState

LaneFilter = Literal["ok", "limited", "blocked"]
UNKNOWN = "ok"
"""The state of the open lane of a profile without a published state. Such a profile is new, so nothing has closed its
lane."""


@dataclass(frozen=True, slots=True)
class ListedProfile:
    profile_id: str
    package_id: str

    @property
    def place(self) -> str:
        """Its place in the list, for a cursor."""
        return f"{self.package_id} {self.profile_id}"


@dataclass(frozen=True, slots=True)
class ProfileFilter:
    """Which profiles are listed. A condition that is None or empty holds for all."""

    profile_ids: Collection[str] = ()
    state: LaneFilter | None = None
    """The state of the open lane."""
    text: str | None = None
    """A part of the id, the name or the phone number, in small or capital letters."""

    def takes(self, profile: Profile, state: ProfileState | None) -> bool:
        return (
            (not self.profile_ids or profile.profile_id in self.profile_ids)
            and self.takes_state(state)
            and (self.text is None or _has_text(profile, self.text.casefold()))
        )

    def takes_state(self, state: ProfileState | None) -> bool:
        return self.state is None or (UNKNOWN if state is None else state.open.state) == self.state


def listed(
    packages: Iterable[Package],
    states: Mapping[str, ProfileState],
    wanted: ProfileFilter,
    after: str | None,
    limit: int,
) -> list[ListedProfile]:
    """The first `limit` wanted profiles after the place `after`. `states`: the published states, by which the profiles
    are chosen."""
    first_package, _, last_profile = (after or "").partition(" ")
    profiles = (
        ListedProfile(profile.profile_id, package.package_id)
        for package in sorted(packages, key=lambda package: package.package_id)
        if package.package_id >= first_package
        for profile in sorted(package.profiles, key=lambda profile: profile.profile_id)
        if (package.package_id, profile.profile_id) > (first_package, last_profile)
        and wanted.takes(profile, states.get(profile.profile_id))
    )
    return list(islice(profiles, limit))


def _has_text(profile: Profile, text: str) -> bool:
    return any(text in field.casefold() for field in (profile.profile_id, profile.name, profile.phone))
