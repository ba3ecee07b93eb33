"""Packages endpoint: create, list, change, pause and delete packages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from ingress.configuration.bodies import ChangedPackageBody, PackageBody, package_body, package_warnings
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.etags import package_etag, precondition
from ingress.configuration.registry import Registry
from ingress.configuration.schemas import NewPackage, PackageForm
from ingress.core.snapshot import merge_settings
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.sql.configuration import PackageEntry
from spreader.clock import Now
from spreader.contract.ids import new_id
from spreader.http.openapi import PageBody

_NEW_PACKAGE_FORM = TypeAdapter(NewPackage)
PACKAGE_FORM = TypeAdapter(PackageForm)
BODY_BYTES_MAX = 256 * 1024


@dataclass(frozen=True, slots=True)
class PackagesEndpoint:
    registry: Registry
    config_cache: IngressConfigCache
    now: Now

    async def create(self, request: Request) -> Response:
        form = request_body.parse(_NEW_PACKAGE_FORM, await request_body.read(request, BODY_BYTES_MAX))
        row = await self.registry.add_package(form.package_id or new_id("pkg", self.now()), form.settings())
        return await self._response(row, 201, {"Location": f"{request.url.path}/{row.package_id}"})

    async def list(self, page_request: PageParameters) -> Response:
        rows = await self.registry.packages(page_request.after or "", page_request.read_limit)
        return page_response(
            page_request, [row.package_id for row in rows], [package_body(row) for row in rows]
        ).render()

    async def get(self, package_id: PathId) -> Response:
        row = await self.registry.package(package_id)
        return ApiResponse(200, package_body(row), {"ETag": package_etag(row)}).render()

    async def change(self, package_id: PathId, request: Request) -> Response:
        patch = request_body.parse_object(await request_body.read(request, BODY_BYTES_MAX))

        def edit(settings: Mapping[str, Any]) -> dict[str, Any]:
            return request_body.parse(PACKAGE_FORM, to_json(merge_settings(settings, patch))).settings()

        return await self._response(await self.registry.edit_package(package_id, edit, precondition(request)))

    async def delete(self, package_id: PathId, request: Request) -> Response:
        version = await self.registry.delete_package(package_id, precondition(request))
        await self.config_cache.wait_until_applied(package_id, version)
        return Response(status_code=204)

    async def pause(self, package_id: PathId, request: Request) -> Response:
        return await self._response(await self.registry.pause_package(package_id, True, precondition(request)))

    async def resume(self, package_id: PathId, request: Request) -> Response:
        return await self._response(await self.registry.pause_package(package_id, False, precondition(request)))

    async def _response(
        self, row: PackageEntry, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        await self.config_cache.wait_until_applied(row.package_id, row.version)
        body = {**package_body(row), "warnings": package_warnings(row)}
        return ApiResponse(status, body, {"ETag": package_etag(row), **(headers or {})}).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages", tags=["packages"])
        one = "/{package_id}"
        add_route(
            router,
            "POST",
            "",
            self.create,
            "createPackage",
            "Create a package",
            status=201,
            body=NewPackage,
            example=PACKAGE_EXAMPLE,
            shape=ChangedPackageBody,
            response=CHANGED_EXAMPLE,
            problems=(400, 409, 413, 422),
        )
        add_route(
            router,
            "GET",
            "",
            self.list,
            "listPackages",
            "List the packages",
            shape=PageBody[PackageBody],
            response={"data": [STORED_EXAMPLE], "next_cursor": None},
            problems=(400, 422),
        )
        shown: dict[str, Any] = {"shape": PackageBody, "response": STORED_EXAMPLE}
        add_route(router, "GET", one, self.get, "getPackage", "Get a package", **shown, problems=(404,))
        add_route(
            router,
            "PATCH",
            one,
            self.change,
            "changePackage",
            "Change settings of a package",
            body=PackageForm,
            patch=True,
            example={"profile_limits": {"per_hour": 15}},
            shape=ChangedPackageBody,
            response=CHANGED_EXAMPLE,
            problems=(400, 404, 412, 413, 422),
        )
        add_route(
            router,
            "DELETE",
            one,
            self.delete,
            "deletePackage",
            "Delete a package and its profiles",
            status=204,
            problems=(404, 412),
        )
        paused: dict[str, Any] = {"shape": ChangedPackageBody, "response": CHANGED_EXAMPLE, "problems": (404, 412)}
        add_route(router, "POST", one + "/pause", self.pause, "pausePackage", "Pause a package", **paused)
        add_route(router, "POST", one + "/resume", self.resume, "resumePackage", "Resume a package", **paused)
        return router


PACKAGE_EXAMPLE: dict[str, Any] = {
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
STORED_EXAMPLE: dict[str, Any] = {
    "package_id": "pkg_orders",
    **NewPackage.model_validate_json(to_json(PACKAGE_EXAMPLE)).settings(),
    "paused": False,
    "profile_ids": ["profile_1", "profile_2"],
    "version": 3,
    "created_at": "2024-02-08T18:40:00Z",
    "updated_at": "2024-02-08T18:46:00Z",
}
CHANGED_EXAMPLE: dict[str, Any] = {**STORED_EXAMPLE, "warnings": []}
