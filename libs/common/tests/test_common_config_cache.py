"""Config cache: a package that was removed differs from one that is not known."""

from datetime import UTC, datetime

from spreader.config_cache import ConfigCache
from spreader.contract.configuration import Package
from spreader.contract.events import PackageConfigured
from spreader.testing import MemoryTable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def configured(version: int, removed: bool = False) -> PackageConfigured:
    package = Package(package_id="one", version=version, name="One", paused=removed)
    return PackageConfigured(package=package, removed=removed, at=NOON)


def test_only_a_record_says_that_a_package_was_removed() -> None:
    table = MemoryTable({"one": configured(1)})
    cache = ConfigCache(table)
    assert [package.package_id for package in cache.packages()] == ["one"]
    table.set("one", configured(2, removed=True))
    assert (cache.package("one"), cache.packages(), cache.is_removed("one")) == (None, [], True)
    table.set("one", None)
    assert (cache.package("one"), cache.is_removed("one")) == (None, False)


async def test_one_wait_covers_all_packages_and_takes_the_greatest_version_of_each() -> None:
    waits: list[bool] = []

    class Watched(MemoryTable[PackageConfigured]):
        async def wait_until_read(self, satisfied, timeout) -> bool:  # type: ignore[no-untyped-def]
            waits.append(satisfied())
            return satisfied()

    cache = ConfigCache(Watched({"one": configured(2)}))
    await cache.wait_for_versions([("one", 1), ("one", 2), ("one", None), ("two", None)])
    await cache.wait_for_versions([("one", 3), ("one", 2)])
    await cache.wait_for_versions([("one", 1), ("two", 1)])
    assert waits == [True, False, False]
