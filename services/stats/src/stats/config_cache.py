"""Config cache: the view that stats has of packages, their profiles and their holders."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from spreader.config_cache import ConfigCache
from spreader.contract.configuration import Profile
from stats.core.condition import NEVER
from stats.core.profile_summary import PackageOfProfile, RemovedProfile, package_of_profile


@dataclass(frozen=True)
class StatsConfigCache(ConfigCache):
    def package_of_profile(self, package_id: str | None = None) -> PackageOfProfile:
        """The package of each profile. With `package_id`, only the profiles of that package are included."""
        return package_of_profile(package for package in self.packages() if package_id in (None, package.package_id))

    def profiles(self) -> dict[str, Profile]:
        return {profile.profile_id: profile for package in self.packages() for profile in package.profiles}

    def added_at(self, profile_ids: Collection[str] | None = None) -> dict[str, datetime]:
        """When each of these profiles was added, or `NEVER` if the time is not known. If `profile_ids` is None, all
        profiles are included. Evidence from before that time concerns an earlier profile with the same id."""
        profiles = self.profiles()
        names = profiles if profile_ids is None else profile_ids
        return {name: _added_at(profiles.get(name)) for name in names}

    def same_holder_as(self, profile_id: str, at: datetime) -> frozenset[str]:
        """The profiles that had the same holder as the given profile at the time `at`. The given profile is among them.
        If it was added after `at`, the set is empty, because `at` then concerns an earlier profile with the same id."""
        profiles = self.profiles()
        profile = profiles.get(profile_id)
        if _added_at(profile) > at:
            return frozenset()
        if profile is None or profile.gateway.holder is None or not _had_holder(profile, at):
            return frozenset({profile_id})
        holder = profile.gateway.holder
        same = (each for each in profiles.values() if each.gateway.holder == holder and _had_holder(each, at))
        return frozenset(each.profile_id for each in same) | {profile_id}

    def removed_among(self, packages: PackageOfProfile) -> list[RemovedProfile]:
        """The profiles of `packages` that were removed. A profile counts as removed if no package has it any more, and
        this process has read a record of the profile's package. Without such a record, the process may not have read
        the package yet."""
        known = self.package_of_profile()
        records = [(name, self.table.get(package)) for name, package in packages.items() if name not in known]
        return [RemovedProfile(name, record.at) for name, record in records if record is not None]


def _added_at(profile: Profile | None) -> datetime:
    return (profile and profile.created_at) or NEVER


def _had_holder(profile: Profile, at: datetime) -> bool:
    return max(_added_at(profile), profile.gateway.holder_since or NEVER) <= at
