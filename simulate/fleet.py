"""Fleet: the packages of a simulation, with their settings and patterns of arrivals."""

from dataclasses import dataclass
from datetime import time

from simulate.arrivals import PATTERNS
from spreader.contract.configuration import Gap, Gateway, Package, Profile, ProfileLimits, RestWindow

PROFILES_OF_A_PACKAGE = 4
TIMEZONES = ("Africa/Cairo", "Europe/Berlin", "America/New_York", "UTC", "Australia/Sydney", "Asia/Kolkata")
STAGGERS_MINUTES = (0, 30, 60)
DEFAULTS = ProfileLimits()
NOWHERE = Gateway(driver="simulator", base_url="http://nowhere", account="none")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The input of a simulation. The same fleet gives the same result for any number of workers."""

    profiles: int
    days: int
    pattern: str
    """The pattern of all packages. `all`: the packages take the patterns in turn."""
    seed: int
    spread: float | None = None
    """The operator's spread for all packages. None: each package has its own, derived from its id."""
    limits: ProfileLimits = DEFAULTS
    gap_max_seconds: int | None = None
    """The operator's largest gap. None: it follows from the limits."""

    @property
    def packages(self) -> int:
        return -(-self.profiles // PROFILES_OF_A_PACKAGE)

    def pattern_of(self, number: int) -> str:
        return list(PATTERNS)[number % len(PATTERNS)] if self.pattern == "all" else self.pattern

    def package(self, number: int) -> Package:
        """Time zones, rests and staggers differ between packages."""
        first = number * PROFILES_OF_A_PACKAGE
        members = range(first, min(first + PROFILES_OF_A_PACKAGE, self.profiles))
        return Package(
            package_id=f"package-{number}",
            version=1,
            name=f"Package {number}",
            timezone=TIMEZONES[number % 6],
            rest_window=RestWindow(start=time(1), hours=4, stagger_minutes=STAGGERS_MINUTES[number // 2 % 3]),
            profile_limits=self.limits,
            gap=Gap(spread=self.spread, max_seconds=self.gap_max_seconds),
            profiles=tuple(
                Profile(
                    profile_id=f"profile-{member}",
                    name=f"Profile {member}",
                    phone=f"20100{member:07}",
                    limits=self.limits,
                    gateway=NOWHERE,
                )
                for member in members
            ),
        )
