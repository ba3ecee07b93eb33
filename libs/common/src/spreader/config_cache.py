"""Config cache: a service's view of packages and profiles, read from the configuration topic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from spreader.contract.configuration import Package, Profile
from spreader.contract.events import Event, PackageConfigured

E = TypeVar("E", bound=Event, covariant=True)

CONFIGURATION_WAIT_SECONDS = 5.0


class CompactedTable(Protocol[E]):
    """The newest event of each key of a compacted topic (`spreader.kafka.table.Table`)."""

    @property
    def rows(self) -> Mapping[str, E]: ...
    def get(self, key: str) -> E | None: ...
    def not_ready_reason(self) -> str | None: ...
    async def wait_for(self, satisfied: Callable[[], bool], timeout: float) -> bool: ...


@dataclass(frozen=True)
class ConfigCache:
    """The configured packages. A service's own class adds what only that service needs."""

    table: CompactedTable[PackageConfigured]

    def packages(self) -> list[Package]:
        return [event.package for event in self.table.rows.values()]

    def package(self, package_id: str) -> Package | None:
        """None: there is no such package, or this process has not read it yet."""
        event = self.table.get(package_id)
        return None if event is None else event.package

    def profile(self, package_id: str, profile_id: str) -> Profile | None:
        package = self.package(package_id)
        return None if package is None else package.profile(profile_id)

    async def wait_for_version(
        self, package_id: str, version: int | None, seconds: float = CONFIGURATION_WAIT_SECONDS
    ) -> None:
        """Wait until the package is at least as new as `version`, for at most `seconds`. None: do not wait."""

        def is_new_enough() -> bool:
            package = self.package(package_id)
            return package is not None and package.version >= (version or 1)

        if version is not None:
            await self.table.wait_for(is_new_enough, seconds)
