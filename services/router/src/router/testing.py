"""Testing: a directory and a reading progress that a test fills by hand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from spreader.configuration import Package
from spreader.events import ProfilePace, ProfileState


@dataclass
class HandDirectory:
    packages: dict[str, Package] = field(default_factory=dict[str, Package])
    states: dict[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    paces: dict[str, ProfilePace] = field(default_factory=dict[str, ProfilePace])

    async def package(self, package_id: str, version: int | None) -> Package | None:
        return self.packages.get(package_id)


@dataclass
class HandProgress:
    """Reads `behind` times that something is still unread, then that all is."""

    behind: int = 0
    asked: int = 0

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 1)

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        self.asked += 1
        return self.asked > self.behind
