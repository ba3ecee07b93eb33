"""Testing: a directory that a test fills by hand."""

from dataclasses import dataclass, field

from spreader.contract.configuration import Package
from spreader.contract.events import ProfilePace, ProfileState


@dataclass
class HandDirectory:
    packages: dict[str, Package] = field(default_factory=dict[str, Package])
    states: dict[str, ProfileState] = field(default_factory=dict[str, ProfileState])
    paces: dict[str, ProfilePace] = field(default_factory=dict[str, ProfilePace])

    async def package(self, package_id: str, version: int | None) -> Package | None:
        return self.packages.get(package_id)
