"""Config cache: the router's view of packages, and of the states and paces of their profiles."""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.config_cache import ConfigCache
from spreader.contract.configuration import Package
from spreader.contract.events import ProfilePace, ProfileState


@dataclass(frozen=True)
class RouterConfigCache(ConfigCache):
    states: Mapping[str, ProfileState]
    paces: Mapping[str, ProfilePace]

    async def package_at(self, package_id: str, version: int | None) -> Package | None:
        """The package, at least as new as `version` if that arrives in time. None: there is no such package."""
        await self.wait_for_version(package_id, version)
        return self.package(package_id)
