"""Testing: a directory that a test fills by hand, and positions that take every record for new."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.core.policy import Margins, Rules
from pacer.core.rules import rules
from spreader.boundary import Received
from spreader.configuration import Package
from spreader.events import Event

E = TypeVar("E", bound=Event)


@dataclass
class HandDirectory:
    margins: Margins
    packages: dict[str, Package] = field(default_factory=dict[str, Package])

    def configure(self, package: Package) -> None:
        self.packages[package.package_id] = package

    def rules(self, profile_id: str) -> Rules | None:
        for package in self.packages.values():
            profile = package.profile(profile_id)
            if profile is not None:
                return rules(package, profile, None, self.margins)
        return None

    def has_package(self, package_id: str) -> bool:
        return package_id in self.packages

    def package_per_day(self, package_id: str) -> int | None:
        package = self.packages.get(package_id)
        return None if package is None else package.limits.per_day

    async def wait_for(self, package_id: str, version: int | None) -> None:
        """What a test configured is known at once."""


class AllNew:
    """Positions of a reader that has read nothing: whoever passes a batch twice gets it twice."""

    async def fresh(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        return list(batch)
