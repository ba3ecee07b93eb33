"""Profile registration: registers profiles at the simulator. It does so at start, after a change, and periodically."""

import asyncio
import time
from collections.abc import Mapping

from sender.gateways.driver import Registrars
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured
from spreader.runtime.loop import Loop

REPEAT_SECONDS = 60.0
"""Every profile is registered again after this time, in case its gateway has lost it."""
CALLS_MAX = 16
"""The most registrations at a time."""


class RegistrationIncomplete(Exception):
    """Some profiles could not be registered. The loop backs off and tries them again."""


class ProfileRegistration:
    """A component; `on_change` is a callback of the table of packages."""

    def __init__(self, registrars: Registrars) -> None:
        self.name = "registration"
        self._registrars = registrars
        self._packages: dict[str, Package] = {}
        self._registered: dict[tuple[str, str], tuple[Profile, float]] = {}
        self._calls = asyncio.Semaphore(CALLS_MAX)
        self._loop = Loop(self.name, self.register_due)

    def on_change(self, package_id: str, configured: PackageConfigured | None) -> None:
        if configured is None:
            self._packages.pop(package_id, None)
        else:
            self._packages[package_id] = configured.package
            self._loop.wake()

    async def start(self) -> None:
        await self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()

    def not_ready_reason(self) -> str | None:
        return None  # one unavailable gateway must not stop the sends through the others

    def failing(self) -> Mapping[str, str]:
        return self._loop.failing()

    def is_live(self) -> bool:
        return self._loop.is_live()

    async def register_due(self) -> float:
        """Registers the profiles that are due; returns the seconds until the next look.

        A failure does not stop the other registrations. After the last of them, this raises `RegistrationIncomplete`.
        """
        due = [
            (package.package_id, profile)
            for package in self._packages.values()
            for profile in package.profiles
            if profile.gateway.driver in self._registrars and self._is_due(package.package_id, profile)
        ]
        results = await asyncio.gather(*(self._register(*key) for key in due), return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            raise RegistrationIncomplete(
                f"{len(failed)} of {len(due)} profiles could not be registered and are tried again; "
                f"the first error: {type(failed[0]).__name__}"
            ) from failed[0]
        return REPEAT_SECONDS

    def _is_due(self, package_id: str, profile: Profile) -> bool:
        last = self._registered.get((package_id, profile.profile_id))
        return last is None or last[0] != profile or time.monotonic() - last[1] >= REPEAT_SECONDS

    async def _register(self, package_id: str, profile: Profile) -> None:
        async with self._calls:
            await self._registrars[profile.gateway.driver].register(package_id, profile)
        self._registered[package_id, profile.profile_id] = (profile, time.monotonic())
