"""Config cache: the sender's view of packages, and where each profile is reached."""

from dataclasses import dataclass

from sender.gateways.http_client import host_of
from spreader.config_cache import ConfigCache
from spreader.contract.configuration import Profile

WAIT_SECONDS = 2.0
"""How long to wait for a profile that is not known yet, because its configuration may be on its way."""


@dataclass(frozen=True)
class SenderConfigCache(ConfigCache):
    wait_seconds: float = WAIT_SECONDS

    async def wait_for_profile(self, package_id: str, profile_id: str) -> Profile | None:
        """The profile. If it is unknown, waits up to `wait_seconds` until it is read. None: the profile is still
        unknown after this time, or after everything that was published is read."""
        profile = self.profile(package_id, profile_id)
        if profile is None:
            await self.table.wait_until_read(
                lambda: self.profile(package_id, profile_id) is not None, self.wait_seconds
            )
            profile = self.profile(package_id, profile_id)
        return profile

    def opted_in_only(self, package_id: str) -> bool:
        """Whether the package opens conversations only with recipients who have opted in."""
        package = self.package(package_id)
        return package is not None and package.opted_in_only

    def host(self, package_id: str, profile_id: str) -> str:
        """The host of the profile's gateway; empty when the profile is unknown."""
        profile = self.profile(package_id, profile_id)
        return "" if profile is None else host_of(profile.gateway.base_url) or ""
