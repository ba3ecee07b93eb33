"""Profiles: their HTTP endpoints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from ingress.configuration import credentials, gateway_schemas
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import Sealing
from ingress.configuration.gateway_checks_endpoint import ADDED_CHECK_SECONDS, UNKNOWN, try_connection
from ingress.configuration.gateway_schemas import editable
from ingress.configuration.packages_endpoint import BODY_BYTES_MAX
from ingress.configuration.registry import PackageRow, ProfileRow, Registry
from ingress.configuration.schemas import NewProfile, ProfileForm
from ingress.core.limits import LimitWarning, profile_limit_warnings, resolve_limits
from ingress.core.snapshot import merge_settings
from ingress.http import request_body
from ingress.http.openapi import describe
from ingress.http.pagination import Page, PathId, page_answer
from ingress.http.responses import Answer
from ingress.http.urls import API, webhook_path
from ingress.infra.service_client import ServiceClient
from spreader.clock import Now
from spreader.contract.configuration import ProfileLimits
from spreader.contract.ids import new_id

_NEW = TypeAdapter(NewProfile)
_CHANGED = TypeAdapter(ProfileForm)


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test of a profile's connection found; None: nobody could test it."""

    check: dict[str, Any] | None
    odd: tuple[LimitWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Profiles:
    registry: Registry
    configured: IngressConfigCache
    sealing: Sealing
    sender: ServiceClient
    now: Now
    simulator_url: str

    async def create(self, package_id: PathId, request: Request) -> Response:
        form = request_body.parsed(_NEW, await request_body.read(request, BODY_BYTES_MAX))
        profile_id = form.profile_id or new_id("prf", self.now())
        rows = await self.registry.add_profile(package_id, profile_id, self._kept(form, profile_id))
        headers = {"Location": f"{request.url.path}/{profile_id}"}
        return await self._answer(*rows, 201, headers, await self._tested(rows[1]))

    async def list(self, package_id: PathId, page: Page) -> Response:
        package, rows = await self.registry.profiles(package_id, page.after or "", page.read_limit)
        return page_answer(page, [row.profile_id for row in rows], [shown(package, row) for row in rows]).response()

    async def get(self, package_id: PathId, profile_id: PathId) -> Response:
        return Answer(200, shown(*await self.registry.profile(package_id, profile_id))).response()

    async def change(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        patch = request_body.json_object(await request_body.read(request, BODY_BYTES_MAX))

        def edit(settings: Mapping[str, Any]) -> dict[str, Any]:
            known = settings["gateway"]
            bare = {**settings, "gateway": editable(known, patch.get("gateway"))}
            return self._kept(request_body.parsed(_CHANGED, to_json(merge_settings(bare, patch))), profile_id, known)

        package, row = await self.registry.edit_profile(package_id, profile_id, edit)
        return await self._answer(package, row, tested=await self._tested(row) if "gateway" in patch else None)

    async def delete(self, package_id: PathId, profile_id: PathId) -> Response:
        package = await self.registry.drop_profile(package_id, profile_id)
        await self.configured.wait_until_applied(package_id, package.version)
        return Response(status_code=204)

    async def pause(self, package_id: PathId, profile_id: PathId) -> Response:
        return await self._answer(*await self.registry.pause_profile(package_id, profile_id, True))

    async def resume(self, package_id: PathId, profile_id: PathId) -> Response:
        return await self._answer(*await self.registry.pause_profile(package_id, profile_id, False))

    def _kept(self, form: ProfileForm, profile_id: str, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
        gateway = gateway_schemas.settings(form.gateway, profile_id, self.simulator_url, self.sealing, known)
        return {**form.settings(), "gateway": gateway}

    async def _tested(self, row: ProfileRow) -> Tested:
        """What a test of its connection found; nothing of it stops a change. The simulator needs none."""
        if row.settings["gateway"]["driver"] == "simulator":
            return Tested(None)
        answer = await try_connection(self.sender, row, ADDED_CHECK_SECONDS)
        if isinstance(answer, dict):
            return Tested(answer)
        why = UNKNOWN if answer is None else answer.reason
        return Tested(None, (LimitWarning("/gateway", f"the connection was not tested: {why}"),))

    async def _answer(
        self, package: PackageRow, row: ProfileRow, status: int = 200, headers: Mapping[str, str] | None = None,
        tested: Tested | None = None,
    ) -> Response:  # fmt: skip
        await self.configured.wait_until_applied(package.package_id, package.version)
        odd = [*profile_limit_warnings(effective_limits(package, row), "/limits"), *(tested.odd if tested else ())]
        check = {"check": tested.check} if tested else {}
        body = {**shown(package, row), **check, "warnings": [asdict(each) for each in odd]}
        return Answer(status, body, headers or {}).response()

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
    return resolve_limits(ProfileLimits.model_validate(package.settings["profile_limits"]), row.settings["limits"])


def shown(package: PackageRow, row: ProfileRow) -> dict[str, Any]:
    gateway = row.settings["gateway"]
    place = {name: gateway[name] for name in ("driver", "base_url", "account")}
    return {
        "profile_id": row.profile_id,
        "package_id": row.package_id,
        **row.settings,
        "gateway": {**place, "credentials": credentials.shown(gateway["driver"], gateway.get("sealed"))},
        "webhook_url": webhook_path(gateway["driver"], row.package_id, row.profile_id),
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
