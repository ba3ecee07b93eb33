"""Profiles: where each profile is reached, by the packages' present configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sender.gateways.http_client import host_of
from spreader.contract.configuration import Profile
from spreader.contract.events import PackageConfigured

WAIT_SECONDS = 2.0
"""How long a profile that is not known yet is waited for: its configuration may be on its way."""


class Packages(Protocol):
    def get(self, key: str) -> PackageConfigured | None: ...
    async def wait_for(self, satisfied: Callable[[], bool], timeout: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Profiles:
    packages: Packages
    wait_seconds: float = WAIT_SECONDS

    async def find(self, package_id: str, profile_id: str) -> Profile | None:
        profile = self.get(package_id, profile_id)
        if profile is None:
            await self.packages.wait_for(lambda: self.get(package_id, profile_id) is not None, self.wait_seconds)
            profile = self.get(package_id, profile_id)
        return profile

    def opted_in_only(self, package_id: str) -> bool:
        """Whether the package opens conversations only with who has opted in."""
        configured = self.packages.get(package_id)
        return configured is not None and configured.package.opted_in_only

    def host(self, package_id: str, profile_id: str) -> str:
        """Of the profile's gateway; empty where it is not known."""
        profile = self.get(package_id, profile_id)
        return "" if profile is None else host_of(profile.gateway.base_url) or ""

    def get(self, package_id: str, profile_id: str) -> Profile | None:
        configured = self.packages.get(package_id)
        return None if configured is None else configured.package.profile(profile_id)
