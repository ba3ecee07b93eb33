"""Testing: a config cache that a test fills by hand, and the retention of the router."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from router.config_cache import RouterConfigCache
from router.retention import old_rows
from spreader.clock import wall_now
from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured, ProfilePace, ProfileState
from spreader.runtime.retention import Retention
from spreader.testing import MemoryTable


class MemoryConfigCache(RouterConfigCache):
    def __init__(self, *packages: Package, states_wait_seconds: float = 0) -> None:
        events = {package.package_id: PackageConfigured(package=package, at=wall_now()) for package in packages}
        super().__init__(MemoryTable(events), MemoryTable(), {}, states_wait_seconds)

    def remove(self, package: Package) -> None:
        assert isinstance(self.table, MemoryTable)
        self.table.set(package.package_id, PackageConfigured(package=package, removed=True, at=wall_now()))

    def configure(self, package: Package) -> None:
        assert isinstance(self.table, MemoryTable)
        self.table.set(package.package_id, PackageConfigured(package=package, at=wall_now()))

    def set_state(self, state: ProfileState) -> None:
        assert isinstance(self.states_table, MemoryTable)
        self.states_table.set(state.profile_id, state)

    def set_pace(self, pace: ProfilePace) -> None:
        assert isinstance(self.paces, dict)
        self.paces[pace.profile_id] = pace


def forgetting(
    engine: AsyncEngine, *packages: Package, keep_conversations: timedelta = timedelta(days=30)
) -> Retention:
    return Retention(engine, wall_now, lambda: old_rows(keep_conversations, packages))
