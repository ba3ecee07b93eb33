"""Configured: the packages as this process has read them back from Kafka, as every other service reads them."""

from dataclasses import dataclass

from ingress.http.problems import Problem, not_found, unavailable
from ingress.infra.ports import Rows
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import Lane, PackageConfigured, ProfileState


@dataclass(frozen=True, slots=True)
class Configured:
    packages: Rows[PackageConfigured]
    states: Rows[ProfileState]
    wait_seconds: float

    def package(self, package_id: str) -> Package:
        package = self.find(package_id)
        if package is None:
            raise not_found("package", package_id)
        return package

    def find(self, package_id: str) -> Package | None:
        """None: this process has read of none; it may have been made a moment ago."""
        if (trouble := self.packages.not_ready_reason()) is not None:
            raise unavailable(f"The configuration is not known yet: {trouble}.")
        row = self.packages.get(package_id)
        return None if row is None else row.package

    def states_of(self, package: Package) -> dict[str, ProfileState]:
        """Of its profiles, by their ids, as they are now; of whom nothing was told yet, none."""
        known = ((each, self.states.get(each)) for each in package.profile_ids)
        return {profile_id: state for profile_id, state in known if state is not None}

    async def has_version(self, package_id: str, version: int) -> None:
        """Wait (with a bound) until what a caller has just changed is what this process works by."""
        await self.packages.wait_for(lambda: self._version(package_id) >= version, self.wait_seconds)

    async def has_gone(self, package_id: str) -> None:
        await self.packages.wait_for(lambda: self.packages.get(package_id) is None, self.wait_seconds)

    def _version(self, package_id: str) -> int:
        row = self.packages.get(package_id)
        return 0 if row is None else row.package.version


def active_profiles(package: Package, lane: Lane) -> list[Profile]:
    """The profiles that may send; raises the problem when none may. A paused package still answers its customers."""
    stopped = package.paused and lane == "open"
    active = [profile for profile in package.profiles if not profile.paused and not stopped]
    if active:
        return active
    name = package.package_id
    if stopped:
        detail = f"The package {name} is paused. Resume it with POST /api/v1/packages/{name}/resume."
    elif package.profiles:
        detail = f"All {len(package.profiles)} profiles of the package {name} are paused. Resume one of them."
    else:
        detail = f"The package {name} has no profile. Add one with POST /api/v1/packages/{name}/profiles."
    raise Problem("no-profile", detail)
