"""Registration: every simulator profile is made known to its gateway: at start, when it changes, and now and then."""

import asyncio
import time

from sender.gateways.driver import Registrars
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured
from spreader.runtime.loop import Loop

REPEAT_SECONDS = 60.0
"""A gateway that has forgotten its profiles learns them again after so long."""
CALLS_MAX = 16


class Incomplete(Exception):
    """Some profiles could not be registered; those are tried again."""


class Registration:
    """A part. `on_change` is what the table of packages calls."""

    def __init__(self, drivers: Registrars) -> None:
        self.name = "registration"
        self._drivers = drivers
        self._packages: dict[str, Package] = {}
        self._done: dict[tuple[str, str], tuple[Profile, float]] = {}
        self._calls = asyncio.Semaphore(CALLS_MAX)
        self._loop = Loop(self.name, self.turn)

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
        return None  # a gateway that is away is no reason not to send through the others

    def is_live(self) -> bool:
        return self._loop.is_live()

    async def turn(self) -> float:
        """Register what is due; one that fails keeps no other from it."""
        due = [
            (package.package_id, profile)
            for package in self._packages.values()
            for profile in package.profiles
            if profile.gateway.driver in self._drivers and self._is_due(package.package_id, profile)
        ]
        ended = await asyncio.gather(*(self._register(*each) for each in due), return_exceptions=True)
        failed = [result for result in ended if isinstance(result, BaseException)]
        if failed:
            raise Incomplete(f"{len(failed)} of {len(due)} profiles; one: {type(failed[0]).__name__}") from failed[0]
        return REPEAT_SECONDS

    def _is_due(self, package_id: str, profile: Profile) -> bool:
        done = self._done.get((package_id, profile.profile_id))
        return done is None or done[0] != profile or time.monotonic() - done[1] >= REPEAT_SECONDS

    async def _register(self, package_id: str, profile: Profile) -> None:
        async with self._calls:
            await self._drivers[profile.gateway.driver].register(package_id, profile)
        self._done[package_id, profile.profile_id] = (profile, time.monotonic())
