"""Package gauges: the loop that sets the metrics of packages and of open alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.events import ProfileState
from stats.config_cache import StatsConfigCache
from stats.core.package_summary import PackageSummary, named_packages, summarize
from stats.health.sql_alerts import count_open_alerts
from stats.metrics import OPEN_ALERTS, PACKAGE_ALLOWED, PACKAGE_COUNTS, PACKAGE_HEALTH, PACKAGE_PROFILES

TURN_SECONDS = 10.0
PACKAGES_MAX = 100
"""Only this many packages get a label value of their own, which bounds the number of series (decision 0027)."""


@dataclass
class PackageGauges:
    engine: AsyncEngine
    config: StatsConfigCache
    states: Mapping[str, ProfileState]
    packages_max: int = PACKAGES_MAX
    _alert_labels: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]], init=False)
    _packages: set[str] = field(default_factory=set[str], init=False)

    async def turn(self) -> float:
        self.show_packages()
        alerts = await count_open_alerts(self.engine)
        self._alert_labels |= alerts.keys()
        for kind, severity in self._alert_labels:
            OPEN_ALERTS.labels(kind, severity).set(alerts.get((kind, severity), 0))
        return TURN_SECONDS

    def show_packages(self) -> None:
        named = named_packages(self.config.packages(), self.packages_max)
        if not self._packages <= named.keys():  # a package was removed or is no longer among the largest
            for metric in (PACKAGE_PROFILES, PACKAGE_COUNTS, PACKAGE_ALLOWED, PACKAGE_HEALTH):
                metric.clear()
        self._packages = {*named}
        for name, packages in named.items():
            _show(name, summarize(packages, self.states))


def _show(name: str, summary: PackageSummary) -> None:
    for status, count in summary.profiles.items():
        PACKAGE_PROFILES.labels(name, status).set(count)
    for kind, count in summary.counts.items():
        PACKAGE_COUNTS.labels(name, kind).set(count)
    PACKAGE_ALLOWED.labels(name).set(summary.allowed)
    if summary.healths:
        PACKAGE_HEALTH.labels(name, "lowest").set(min(summary.healths))
        PACKAGE_HEALTH.labels(name, "mean").set(sum(summary.healths) / len(summary.healths))
