"""Profiles: their HTTP endpoints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from ingress import bodies
from ingress.answers import Answer
from ingress.configured import Configured
from ingress.core.limits import odd_profile_limits, resolved
from ingress.core.snapshot import merged
from ingress.guard import API
from ingress.openapi import describe
from ingress.package_forms import NewProfile, ProfileForm
from ingress.packages import BODY_BYTES_MAX
from ingress.pages import Page, PathId
from ingress.registry import PackageRow, ProfileRow, Registry
from spreader.clock import Now
from spreader.configuration import ProfileLimits
from spreader.ids import new_id

_NEW = TypeAdapter(NewProfile)
_CHANGED = TypeAdapter(ProfileForm)


@dataclass(frozen=True, slots=True)
class Profiles:
    registry: Registry
    configured: Configured
    now: Now
    simulator_url: str

    async def create(self, package_id: PathId, request: Request) -> Response:
        form = bodies.parsed(_NEW, await bodies.read(request, BODY_BYTES_MAX))
        profile_id = form.profile_id or new_id("prf", self.now())
        rows = await self.registry.add_profile(package_id, profile_id, form.settings(profile_id, self.simulator_url))
        return await self._answer(*rows, status=201, headers={"Location": f"{request.url.path}/{profile_id}"})

    async def list(self, package_id: PathId, page: Page) -> Response:
        package, rows = await self.registry.profiles(package_id, page.after, page.read_limit)
        return page.answer([row.profile_id for row in rows], [shown(package, row) for row in rows]).response()

    async def get(self, package_id: PathId, profile_id: PathId) -> Response:
        return Answer(200, shown(*await self.registry.profile(package_id, profile_id))).response()

    async def change(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        patch = bodies.json_object(await bodies.read(request, BODY_BYTES_MAX))

        def edit(settings: Mapping[str, Any]) -> dict[str, Any]:
            form = bodies.parsed(_CHANGED, to_json(merged(settings, patch)))
            return form.settings(profile_id, self.simulator_url)

        return await self._answer(*await self.registry.edit_profile(package_id, profile_id, edit))

    async def delete(self, package_id: PathId, profile_id: PathId) -> Response:
        package = await self.registry.drop_profile(package_id, profile_id)
        await self.configured.has_version(package_id, package.version)
        return Response(status_code=204)

    async def pause(self, package_id: PathId, profile_id: PathId) -> Response:
        return await self._answer(*await self.registry.pause_profile(package_id, profile_id, True))

    async def resume(self, package_id: PathId, profile_id: PathId) -> Response:
        return await self._answer(*await self.registry.pause_profile(package_id, profile_id, False))

    async def _answer(
        self, package: PackageRow, row: ProfileRow, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        await self.configured.has_version(package.package_id, package.version)
        warnings = [asdict(each) for each in odd_profile_limits(effective_limits(package, row), "/limits")]
        return Answer(status, {**shown(package, row), "warnings": warnings}, headers or {}).response()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/profiles", tags=["profiles"])
        one = "/{profile_id}"
        describe(router, "POST", "", self.create, "createProfile", "Add a profile to a package", status=201,
                 body=NewProfile, example=EXAMPLE, problems=(400, 404, 409, 413, 422))  # fmt: skip
        describe(router, "GET", "", self.list, "listProfiles", "List a package's profiles", problems=(400, 404, 422))
        describe(router, "GET", one, self.get, "getProfile", "One profile", problems=(404,))
        describe(router, "PATCH", one, self.change, "changeProfile", "Change what is named",
                 body=ProfileForm, example={"limits": {"per_hour": 10}}, problems=(400, 404, 413, 422))  # fmt: skip
        describe(router, "DELETE", one, self.delete, "deleteProfile", "Remove a profile", status=204, problems=(404,))
        describe(router, "POST", one + "/pause", self.pause, "pauseProfile", "Stop sending", problems=(404,))
        describe(router, "POST", one + "/resume", self.resume, "resumeProfile", "Go on sending", problems=(404,))
        return router


def effective_limits(package: PackageRow, row: ProfileRow) -> ProfileLimits:
    return resolved(ProfileLimits.model_validate(package.settings["profile_limits"]), row.settings["limits"])


def shown(package: PackageRow, row: ProfileRow) -> dict[str, Any]:
    return {
        "profile_id": row.profile_id,
        "package_id": row.package_id,
        **row.settings,
        "effective_limits": effective_limits(package, row),
        "paused": row.paused,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "name": "Sales WhatsApp #1",
    "phone": "201001234567",
    "weight": None,
    "limits": {"per_hour": 15},
    "gateway": {"driver": "simulator"},
}
