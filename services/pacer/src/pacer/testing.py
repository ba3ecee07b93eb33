"""Testing: a directory that a test fills by hand."""

from dataclasses import dataclass, field

from pacer.core.policy import Margins, Rules
from pacer.core.rules import rules
from spreader.configuration import Package


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
