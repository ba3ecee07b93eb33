"""Config cache: a service's view of packages and profiles, read from the configuration topic."""

from collections.abc import Callable, Collection, Iterable, Mapping
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
    async def wait_until_read(self, satisfied: Callable[[], bool], timeout: float) -> bool: ...


@dataclass(frozen=True)
class ConfigCache:
    """The configured packages. A service's own class adds what only that service needs."""

    table: CompactedTable[PackageConfigured]

    def packages(self) -> list[Package]:
        return [event.package for event in self.table.rows.values() if not event.removed]

    def package(self, package_id: str) -> Package | None:
        """None: the package was removed, or this process has not read it yet. `is_removed` shows which."""
        event = self.table.get(package_id)
        return None if event is None or event.removed else event.package

    def is_removed(self, package_id: str) -> bool:
        """Whether a record says that the package was deleted. A missing record says nothing."""
        event = self.table.get(package_id)
        return event is not None and event.removed

    async def wait_until_known(self, package_ids: Collection[str], seconds: float) -> None:
        """Wait until this process has read a record of each of these packages, but at most `seconds`. A record of the
        package's removal counts too."""
        await self.table.wait_for(lambda: all(self.table.get(each) is not None for each in package_ids), seconds)

    def profile(self, package_id: str, profile_id: str) -> Profile | None:
        package = self.package(package_id)
        return None if package is None else package.profile(profile_id)

    async def wait_for_versions(self, wanted: Iterable[tuple[str, int | None]]) -> None:
        """Wait until each of these packages is at least as new as its version. A version of None needs no wait.

        The wait also ends when everything is read that was in the topic when the wait began. Waiting longer would be in
        vain, because the version that a request names was published before the request. The wait for all packages
        together takes at most `CONFIGURATION_WAIT_SECONDS`. Call this outside transactions.
        """
        newest: dict[str, int] = {}
        for package_id, version in wanted:
            if version is not None:
                newest[package_id] = max(version, newest.get(package_id, 0))

        def is_new_enough() -> bool:
            return all(self._version(package_id) >= version for package_id, version in newest.items())

        await self.table.wait_until_read(is_new_enough, CONFIGURATION_WAIT_SECONDS)

    def _version(self, package_id: str) -> int:
        event = self.table.get(package_id)
        return 0 if event is None else event.package.version
