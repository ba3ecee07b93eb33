"""Config cache: the ingress's view of packages and profiles, as this process has read them from Kafka."""

from dataclasses import dataclass

from ingress.http.problems import NO_PROFILE
from spreader.config_cache import CompactedTable, ConfigCache
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import Lane, ProfileState
from spreader.http.problems import Problem, not_found, unavailable


@dataclass(frozen=True)
class IngressConfigCache(ConfigCache):
    states: CompactedTable[ProfileState]
    wait_seconds: float

    def package(self, package_id: str) -> Package | None:
        """The package. None if this process has not read the package, for example because it was created just now.

        Raises the problem `unavailable` until the table is loaded.
        """
        if (reason := self.table.not_ready_reason()) is not None:
            raise unavailable(f"The configuration is not loaded yet: {reason}.")
        return super().package(package_id)

    def require_package(self, package_id: str) -> Package:
        """Raises the problem `not-found` if this process has read no such package."""
        package = self.package(package_id)
        if package is None:
            raise not_found("package", package_id)
        return package

    def states_of(self, package: Package) -> dict[str, ProfileState]:
        """The current states of the package's profiles, by profile id. A new profile has no state yet."""
        states = ((profile_id, self.states.get(profile_id)) for profile_id in package.profile_ids)
        return {profile_id: state for profile_id, state in states if state is not None}

    async def wait_until_applied(self, package_id: str, version: int) -> None:
        """Wait until this process uses the version that a change has just made, but at most for `wait_seconds`."""
        await self.table.wait_for(lambda: self._version(package_id) >= version, self.wait_seconds)


def active_profiles(package: Package, lane: Lane) -> list[Profile]:
    """The profiles that may send in this lane. Raises the problem `no-profile` if there is none.

    A paused profile sends nothing. A paused package sends only replies.
    """
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
    raise Problem(NO_PROFILE, detail)


def require_profiles(package: Package, lane: Lane) -> None:
    """Raises the problem `no-profile` if the package cannot accept messages in this lane.

    A reply cannot wait, so it needs a profile that is not paused. An open message can wait, so a paused profile is
    enough for it.
    """
    if lane == "reply" or not package.profiles:
        active_profiles(package, "reply")
