"""Package endpoint: the figures of all profiles of each package together, so that the console need not read every
profile for them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.configuration import Package
from spreader.contract.events import ProfileState
from stats.api.openapi import documented, page_example
from stats.api.pagination import Page, link_next
from stats.api.parameters import OfPackage
from stats.config_cache import StatsConfigCache
from stats.core.package_summary import COUNTED, LaneStatus, summarize
from stats.health.sql_alerts import count_open_alerts_of


class PackageFigures(BaseModel):
    package_id: str
    profiles: dict[LaneStatus, int]
    """The number of profiles, by the state of their open lane."""
    hour: dict[str, int]
    day: dict[str, int]
    """The counts of the last hour and of the last 24 hours, as in the windows of a profile state."""
    open_alerts: int


class PackageFiguresPage(BaseModel):
    data: list[PackageFigures]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class PackageEndpoint:
    engine: AsyncEngine
    config: StatsConfigCache
    published: Mapping[str, ProfileState]
    """The live rows of the newest published state of each profile."""

    def router(self) -> APIRouter:
        router = APIRouter(tags=["packages"])
        router.add_api_route(
            "/packages",
            self.list_packages,
            summary="Current figures of each package",
            responses=documented(PackageFiguresPage, page_example(FIGURES_EXAMPLE)),
        )
        return router

    async def list_packages(self, response: Response, page: Page, package_id: OfPackage = None) -> PackageFiguresPage:
        """The figures of all profiles of each package together, in the order of the package ids."""
        packages = sorted(
            (
                package
                for package in self.config.packages()
                if package_id in (None, package.package_id) and package.package_id > (page.after or "")
            ),
            key=lambda package: package.package_id,
        )[: page.read_limit]
        shown = packages[: page.limit]
        alerts = await count_open_alerts_of(self.engine, [package.package_id for package in shown])
        data: list[PackageFigures] = []
        for package in shown:
            data.append(self._figures(package, alerts.get(package.package_id, 0)))
            await asyncio.sleep(0)  # let other requests run, because a package may have 1,000 profiles
        next_cursor = link_next(response, page, [package.package_id for package in packages])
        return PackageFiguresPage(data=data, next_cursor=next_cursor)

    def _figures(self, package: Package, open_alerts: int) -> PackageFigures:
        summary = summarize([package], self.published)
        return PackageFigures(
            package_id=package.package_id,
            profiles=dict(summary.profiles),
            hour=dict(summary.hour_counts),
            day=dict(summary.counts),
            open_alerts=open_alerts,
        )


FIGURES_EXAMPLE = {
    "package_id": "pkg_orders",
    "profiles": {"ok": 18, "limited": 1, "blocked": 1, "unknown": 0},
    "hour": dict(zip(COUNTED, (40, 52, 50, 31, 1, 20, 12, 9), strict=True)),
    "day": dict(zip(COUNTED, (610, 840, 815, 502, 9, 300, 188, 140), strict=True)),
    "open_alerts": 2,
}
