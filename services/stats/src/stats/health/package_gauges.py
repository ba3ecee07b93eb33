"""Gauges: the loop that shows packages and open alerts as metrics. Profiles have no label: the HTTP API has theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import ProfileState
from stats.config_cache import StatsConfigCache
from stats.core.package_summary import PackageSummary, named_packages, summarize
from stats.counting.sql_gauges import alerts_by_kind
from stats.metrics import OPEN_ALERTS, PACKAGE_ALLOWED, PACKAGE_COUNTS, PACKAGE_HEALTH, PACKAGE_PROFILES

TURN_SECONDS = 10.0
PACKAGES_MAX = 100
"""So many packages have a name among the labels (decision 0027): the number of series has a bound."""


@dataclass
class PackageGauges:
    engine: AsyncEngine
    directory: StatsConfigCache
    states: Mapping[str, ProfileState]
    packages_max: int = PACKAGES_MAX
    _kinds: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]], init=False)
    _names: set[str] = field(default_factory=set[str], init=False)

    async def turn(self) -> float:
        self.show_packages()
        alerts = await alerts_by_kind(self.engine)
        self._kinds |= alerts.keys()
        for kind, severity in self._kinds:
            OPEN_ALERTS.labels(kind, severity).set(alerts.get((kind, severity), 0))
        return TURN_SECONDS

    def show_packages(self) -> None:
        named = named_packages(self.directory.packages(), self.packages_max)
        if not self._names <= named.keys():  # a package is gone, or too small by now: its series end
            for metric in (PACKAGE_PROFILES, PACKAGE_COUNTS, PACKAGE_ALLOWED, PACKAGE_HEALTH):
                metric.clear()
        self._names = {*named}
        for name, packages in named.items():
            _show(name, summarize(packages, self.states))


def _show(name: str, seen: PackageSummary) -> None:
    for standing, count in seen.profiles.items():
        PACKAGE_PROFILES.labels(name, standing).set(count)
    for kind, count in seen.counts.items():
        PACKAGE_COUNTS.labels(name, kind).set(count)
    PACKAGE_ALLOWED.labels(name).set(seen.allowed)
    if seen.healths:
        PACKAGE_HEALTH.labels(name, "lowest").set(min(seen.healths))
        PACKAGE_HEALTH.labels(name, "mean").set(sum(seen.healths) / len(seen.healths))
