"""Config cache: the router's view of packages, and of the states and paces of their profiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreader.config_cache import ConfigCache
from spreader.contract.configuration import Package
from spreader.contract.events import OpenMessageRequested, ProfilePace, ProfileState, ReplyMessageRequested

Request = OpenMessageRequested | ReplyMessageRequested


@dataclass(frozen=True)
class RouterConfigCache(ConfigCache):
    states: Mapping[str, ProfileState]
    paces: Mapping[str, ProfilePace]

    async def packages_of(self, requests: Sequence[Request]) -> list[Package | None]:
        """The package of each request, in the version that the request names or a newer one. None: there is no such
        package."""
        await self.wait_for_versions((request.package_id, request.package_version) for request in requests)
        return [self.package(request.package_id) for request in requests]
