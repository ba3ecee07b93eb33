"""Directory: what the router knows of packages and of how their profiles fare, from the compacted topics."""

from collections.abc import Mapping
from typing import Protocol

from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured, ProfilePace, ProfileState
from spreader.kafka.table import Table

CONFIGURATION_WAIT_SECONDS = 5.0


class Directory(Protocol):
    async def package(self, package_id: str, version: int | None) -> Package | None:
        """The package's configuration, at least as new as `version` where that comes in time; None: there is none."""
        ...

    @property
    def states(self) -> Mapping[str, ProfileState]: ...

    @property
    def paces(self) -> Mapping[str, ProfilePace]: ...


class Tables:
    """The directory over the tables of a running service."""

    def __init__(
        self, configuration: Table[PackageConfigured], states: Table[ProfileState], paces: Table[ProfilePace]
    ) -> None:
        self._configuration = configuration
        self._states = states
        self._paces = paces

    async def package(self, package_id: str, version: int | None) -> Package | None:
        def new_enough() -> bool:
            known = self._configuration.get(package_id)
            return known is not None and known.package.version >= (version or 1)

        if version is not None:
            await self._configuration.wait_for(new_enough, CONFIGURATION_WAIT_SECONDS)
        known = self._configuration.get(package_id)
        return None if known is None else known.package

    @property
    def states(self) -> Mapping[str, ProfileState]:
        return self._states.rows

    @property
    def paces(self) -> Mapping[str, ProfilePace]:
        return self._paces.rows
