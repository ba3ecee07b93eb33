"""Testing: a directory that a test fills by hand."""

from dataclasses import dataclass, field
from datetime import datetime

from pacer.core.policy import Margins, Rules
from pacer.core.rules import rules
from spreader.configuration import Package
from spreader.events import ProfileState


@dataclass
class HandDirectory:
    margins: Margins
    packages: dict[str, Package] = field(default_factory=dict[str, Package])
    states: dict[str, ProfileState] = field(default_factory=dict[str, ProfileState])

    def configure(self, package: Package) -> None:
        self.packages[package.package_id] = package

    def rules(self, profile_id: str, now: datetime) -> Rules | None:
        for package in self.packages.values():
            profile = package.profile(profile_id)
            if profile is not None:
                return rules(package, profile, self.state(profile_id), self.margins, now)
        return None

    def package(self, package_id: str) -> Package | None:
        return self.packages.get(package_id)

    def state(self, profile_id: str) -> ProfileState | None:
        return self.states.get(profile_id)

    async def wait_for(self, package_id: str, version: int | None) -> None:
        """What a test configured is known at once."""
