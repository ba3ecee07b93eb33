"""Directory: which profiles there are, whose they are, and what their operators have set."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured
from stats.core.profile_summary import PackageOfProfile, package_of_profile


@dataclass(frozen=True, slots=True)
class Directory:
    """Over the rows of the table of packages, which are live."""

    configured: Mapping[str, PackageConfigured]

    def packages(self) -> list[Package]:
        return [row.package for row in self.configured.values()]

    def roster(self, package_id: str | None = None) -> PackageOfProfile:
        """The profiles of one package, or of all."""
        return package_of_profile(package for package in self.packages() if package_id in (None, package.package_id))

    def profiles(self) -> dict[str, Profile]:
        return {profile.profile_id: profile for profile in self._all()}

    def fellows(self, profile_id: str) -> frozenset[str]:
        """The profiles that stand or fall together with one, itself among them."""
        holder = next((each.gateway.holder for each in self._all() if each.profile_id == profile_id), None)
        if holder is None:
            return frozenset({profile_id})
        return frozenset(each.profile_id for each in self._all() if each.gateway.holder == holder) | {profile_id}

    def _all(self) -> Iterator[Profile]:
        for package in self.packages():
            yield from package.profiles
