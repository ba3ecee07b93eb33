"""Packages: their HTTP endpoints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.registry import PackageRow, Registry
from ingress.configuration.schemas import NewPackage, PackageForm
from ingress.core.limits import package_limit_warnings, profile_limit_warnings
from ingress.core.snapshot import merge_settings
from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.pagination import Page, PathId, page_answer
from ingress.http.responses import Answer
from ingress.http.urls import API
from spreader.clock import Now
from spreader.contract.configuration import PackageLimits, ProfileLimits
from spreader.contract.ids import new_id

_NEW = TypeAdapter(NewPackage)
CHANGED = TypeAdapter(PackageForm)
BODY_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class Packages:
    registry: Registry
    configured: IngressConfigCache
    now: Now

    async def create(self, request: Request) -> Response:
        form = request_body.parsed(_NEW, await request_body.read(request, BODY_BYTES_MAX))
        row = await self.registry.add_package(form.package_id or new_id("pkg", self.now()), form.settings())
        return await self._answer(row, 201, {"Location": f"{request.url.path}/{row.package_id}"})

    async def list(self, page: Page) -> Response:
        rows = await self.registry.packages(page.after or "", page.read_limit)
        return page_answer(page, [row.package_id for row in rows], [shown(row) for row in rows]).response()

    async def get(self, package_id: PathId) -> Response:
        return Answer(200, shown(await self.registry.package(package_id))).response()

    async def change(self, package_id: PathId, request: Request) -> Response:
        patch = request_body.json_object(await request_body.read(request, BODY_BYTES_MAX))

        def edit(settings: Mapping[str, Any]) -> dict[str, Any]:
            return request_body.parsed(CHANGED, to_json(merge_settings(settings, patch))).settings()

        return await self._answer(await self.registry.edit_package(package_id, edit))

    async def delete(self, package_id: PathId) -> Response:
        await self.registry.drop_package(package_id)
        await self.configured.wait_until_removed(package_id)
        return Response(status_code=204)

    async def pause(self, package_id: PathId) -> Response:
        return await self._answer(await self.registry.pause_package(package_id, True))

    async def resume(self, package_id: PathId) -> Response:
        return await self._answer(await self.registry.pause_package(package_id, False))

    async def _answer(self, row: PackageRow, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        await self.configured.wait_until_applied(row.package_id, row.version)
        return Answer(status, {**shown(row), "warnings": warnings(row)}, headers or {}).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages", tags=["packages"])
        one = "/{package_id}"
        describe(router, "POST", "", self.create, "createPackage", "Make a package", status=201, body=NewPackage,
                 example=EXAMPLE, problems=(400, 409, 413, 422))  # fmt: skip
        describe(router, "GET", "", self.list, "listPackages", "List the packages", problems=(400, 422))
        describe(router, "GET", one, self.get, "getPackage", "One package", problems=(404,))
        describe(router, "PATCH", one, self.change, "changePackage", "Change what is named",
                 body=PackageForm, example={"profile_limits": {"per_hour": 15}},
                 problems=(400, 404, 413, 422))  # fmt: skip
        describe(router, "DELETE", one, self.delete, "deletePackage", "Delete a package and its profiles", status=204,
                 problems=(404,))  # fmt: skip
        describe(router, "POST", one + "/pause", self.pause, "pausePackage", "Stop sending", problems=(404,))
        describe(router, "POST", one + "/resume", self.resume, "resumePackage", "Go on sending", problems=(404,))
        return router


def shown(row: PackageRow) -> dict[str, Any]:
    return {
        "package_id": row.package_id,
        **row.settings,
        "paused": row.paused,
        "profile_ids": row.profile_ids,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def warnings(row: PackageRow) -> list[dict[str, str]]:
    limits = PackageLimits.model_validate(row.settings["limits"])
    profile_limits = ProfileLimits.model_validate(row.settings["profile_limits"])
    odd = profile_limit_warnings(profile_limits, "/profile_limits") + package_limit_warnings(limits, profile_limits)
    return [asdict(each) for each in odd]


EXAMPLE: dict[str, Any] = {
    "package_id": "pkg_orders",
    "name": "E-Commerce Orders",
    "timezone": "Africa/Cairo",
    "distribution": "round_robin",
    "limits": {"per_day": None, "concurrent_sends": 10},
    "profile_limits": {
        "per_hour": 20,
        "per_3_hours": 50,
        "per_day": 120,
        "new_contacts_per_day": None,
        "per_recipient_per_day": 2,
        "unanswered_per_30_days": 300,
    },
    "rest_window": {"start": "01:00", "hours": 4},
    "recipient_quiet_hours": {"start": "21:00", "hours": 12},
    "gap": {"min_seconds": None, "max_seconds": None, "rush_over": 10},
}
