"""Config cache: the view that stats has of packages, their profiles and their holders."""

from dataclasses import dataclass

from spreader.config_cache import ConfigCache
from spreader.contract.configuration import Profile
from stats.core.profile_summary import PackageOfProfile, package_of_profile


@dataclass(frozen=True)
class StatsConfigCache(ConfigCache):
    def package_of_profile(self, package_id: str | None = None) -> PackageOfProfile:
        """The package of each profile of one package, or of all."""
        return package_of_profile(package for package in self.packages() if package_id in (None, package.package_id))

    def profiles(self) -> dict[str, Profile]:
        return {profile.profile_id: profile for package in self.packages() for profile in package.profiles}

    def same_holder_as(self, profile_id: str) -> frozenset[str]:
        """The profiles with the same holder as this one, including itself."""
        profiles = [profile for package in self.packages() for profile in package.profiles]
        holder = next((profile.gateway.holder for profile in profiles if profile.profile_id == profile_id), None)
        if holder is None:
            return frozenset({profile_id})
        same_holder = frozenset(profile.profile_id for profile in profiles if profile.gateway.holder == holder)
        return same_holder | {profile_id}
