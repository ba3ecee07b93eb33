"""Directory: which rules hold for a profile now, from the two compacted topics that the pacer keeps in memory."""

from datetime import datetime
from typing import Protocol

from pacer.core.policy import Margins, Rules
from pacer.core.rules_in_force import rules
from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured, ProfileState
from spreader.kafka.table import Table

CONFIGURATION_WAIT_SECONDS = 5.0


class Directory(Protocol):
    margins: Margins

    def rules(self, profile_id: str, now: datetime) -> Rules | None:
        """None: no package has this profile."""
        ...

    def package(self, package_id: str) -> Package | None: ...

    def state(self, profile_id: str) -> ProfileState | None: ...

    async def wait_for(self, package_id: str, version: int | None) -> None:
        """Wait (a few seconds at most) until the package is known as a reader before us knew it."""
        ...


class Tables:
    """The directory over the tables of a running service."""

    def __init__(self, configuration: Table[PackageConfigured], states: Table[ProfileState], margins: Margins) -> None:
        self._configuration = configuration
        self._states = states
        self.margins = margins
        self._package_of: dict[str, str] = {}
        self._steering: dict[str, tuple[str, float]] = {}

    def is_news(self, state: ProfileState) -> bool:
        """Whether a profile's state changes what it may do; its counts change all the time."""
        steering = (state.open.state, state.limit_factor)
        known = self._steering.get(state.profile_id)
        self._steering[state.profile_id] = steering
        return known != steering

    def learn(self, package_id: str, event: PackageConfigured | None) -> None:
        """A package's configuration changed: remember which profiles are its own."""
        self._package_of = {profile: package for profile, package in self._package_of.items() if package != package_id}
        if event is not None:
            self._package_of |= dict.fromkeys(event.package.profile_ids, package_id)

    def rules(self, profile_id: str, now: datetime) -> Rules | None:
        package = self.package(self._package_of.get(profile_id, ""))
        profile = None if package is None else package.profile(profile_id)
        if package is None or profile is None:
            return None
        return rules(package, profile, self.state(profile_id), self.margins, now)

    def package(self, package_id: str) -> Package | None:
        configured = self._configuration.get(package_id)
        return None if configured is None else configured.package

    def state(self, profile_id: str) -> ProfileState | None:
        return self._states.get(profile_id)

    async def wait_for(self, package_id: str, version: int | None) -> None:
        def known() -> bool:
            configured = self._configuration.get(package_id)
            return configured is not None and configured.package.version >= (version or 1)

        if version is not None:
            await self._configuration.wait_for(known, CONFIGURATION_WAIT_SECONDS)
