"""Config cache: the router's view of packages, and of the states and paces of their profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spreader.config_cache import CompactedTable, ConfigCache
from spreader.contract.configuration import Package
from spreader.contract.events import OpenMessageRequested, ProfilePace, ProfileState, ReplyMessageRequested

Request = OpenMessageRequested | ReplyMessageRequested

STATES_WAIT_SECONDS = 2.0
"""How long the router waits for the state of a new profile. Stats publishes it within about a second."""


@dataclass(frozen=True)
class RouterConfigCache(ConfigCache):
    states_table: CompactedTable[ProfileState]
    paces: Mapping[str, ProfilePace]
    states_wait_seconds: float = STATES_WAIT_SECONDS
    _given_up: set[str] = field(default_factory=set[str], init=False)
    """The profiles whose states did not come in time. The router does not wait for these states again."""

    @property
    def states(self) -> Mapping[str, ProfileState]:
        return self.states_table.rows

    async def packages_of(self, requests: Sequence[Request]) -> list[Package | None]:
        """The package of each request, in the version that the request names or a newer one. None: there is no such
        package."""
        await self.wait_for_versions((request.package_id, request.package_version) for request in requests)
        return [self.package(request.package_id) for request in requests]

    async def wait_for_states(self, packages: Sequence[Package | None]) -> None:
        """Wait until each profile of these packages has a state, but at most `states_wait_seconds` for all of them
        together.

        A new Kafka has no states until stats publishes them again. A profile without a state counts as able to send. So
        without this wait, a profile whose open lane is closed would get deliveries that other profiles could send.
        """

        def missing() -> set[str]:
            profiles = {profile for package in packages if package is not None for profile in package.profile_ids}
            return {each for each in profiles - self._given_up if each not in self.states}

        if missing() and not await self.states_table.wait_for(lambda: not missing(), self.states_wait_seconds):
            self._given_up.update(missing())
