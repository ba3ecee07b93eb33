"""Profiles endpoint: add, list, change, pause and delete the profiles of a package."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, TypeAdapter
from pydantic_core import to_json

from ingress.configuration.bodies import ChangedProfileBody, ProfileBody, effective_limits, profile_body
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import CredentialSealer
from ingress.configuration.etags import precondition, profile_etag
from ingress.configuration.gateway_checks_endpoint import ADDED_CHECK_SECONDS, UNKNOWN_PROFILE, check_connection
from ingress.configuration.gateway_schemas import editable_gateway, gateway_settings
from ingress.configuration.packages_endpoint import BODY_BYTES_MAX
from ingress.configuration.registry import Registry
from ingress.configuration.schemas import NewProfile, ProfileForm
from ingress.core.limits import SettingWarning, profile_limit_warnings
from ingress.core.snapshot import merge_settings
from ingress.http import request_body
from ingress.http.openapi import add_route
from ingress.http.pagination import PageParameters, PathId, page_response
from ingress.http.request_body import RequestForm
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.sql.configuration import PackageEntry, ProfileEntry
from spreader.clock import Now
from spreader.contract.ids import Id, new_id
from spreader.http.openapi import PageBody
from spreader.http.service_client import ServiceClient

OnlyProfiles = Annotated[list[Id] | None, Query(max_length=200, description="Only these profiles.")]


class MoveForm(RequestForm):
    package_id: Id = Field(description="The package to which the profile moves.", examples=["pkg_support"])


_MOVE_FORM = TypeAdapter(MoveForm)
_NEW_PROFILE_FORM = TypeAdapter(NewProfile)
_PROFILE_FORM = TypeAdapter(ProfileForm)


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """`result` is None if nothing was checked. Then `warnings` says why. The simulator needs no check, so it gets no
    warning."""

    result: dict[str, Any] | None
    warnings: tuple[SettingWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfilesEndpoint:
    registry: Registry
    config_cache: IngressConfigCache
    sealer: CredentialSealer
    sender: ServiceClient
    now: Now
    simulator_url: str
    public_url: str | None = None

    async def create(self, package_id: PathId, request: Request) -> Response:
        form = request_body.parse(_NEW_PROFILE_FORM, await request_body.read(request, BODY_BYTES_MAX))
        profile_id = form.profile_id or new_id("prf", self.now())
        package, row = await self.registry.add_profile(package_id, profile_id, self._settings(form, profile_id))
        headers = {"Location": f"{request.url.path}/{profile_id}"}
        return await self._response(package, row, 201, headers, await self._check(row))

    async def list(self, package_id: PathId, page_request: PageParameters, profile_id: OnlyProfiles = None) -> Response:
        after, limit = page_request.after or "", page_request.read_limit
        package, rows = await self.registry.profiles(package_id, after, limit, profile_id)
        bodies = [profile_body(package, row, self.public_url) for row in rows]
        return page_response(page_request, [row.profile_id for row in rows], bodies).render()

    async def get(self, package_id: PathId, profile_id: PathId) -> Response:
        package, row = await self.registry.profile(package_id, profile_id)
        return ApiResponse(
            200, profile_body(package, row, self.public_url), {"ETag": profile_etag(package, row)}
        ).render()

    async def change(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        patch = request_body.parse_object(await request_body.read(request, BODY_BYTES_MAX))

        def edit(settings: Mapping[str, Any]) -> dict[str, Any]:
            gateway = settings["gateway"]
            editable = {**settings, "gateway": editable_gateway(gateway, patch.get("gateway"))}
            form = request_body.parse(_PROFILE_FORM, to_json(merge_settings(editable, patch)))
            return self._settings(form, profile_id, gateway)

        package, row = await self.registry.edit_profile(package_id, profile_id, edit, precondition(request))
        return await self._response(package, row, check=await self._check(row) if "gateway" in patch else None)

    async def delete(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        package = await self.registry.delete_profile(package_id, profile_id, precondition(request))
        await self.config_cache.wait_until_applied(package_id, package.version)
        return Response(status_code=204)

    async def pause(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        return await self._pause(package_id, profile_id, request, True)

    async def resume(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        return await self._pause(package_id, profile_id, request, False)

    async def move(self, package_id: PathId, profile_id: PathId, request: Request) -> Response:
        """The deliveries that the profile holds stay with the former package, and go to its other profiles."""
        form = request_body.parse(_MOVE_FORM, await request_body.read(request, BODY_BYTES_MAX))
        package, row = await self.registry.move_profile(package_id, profile_id, form.package_id, precondition(request))
        former = await self.registry.package(package_id)
        await self.config_cache.wait_until_applied(package_id, former.version)
        return await self._response(package, row)

    async def _pause(self, package_id: str, profile_id: str, request: Request, paused: bool) -> Response:
        require = precondition(request)
        return await self._response(*await self.registry.pause_profile(package_id, profile_id, paused, require))

    def _settings(
        self, form: ProfileForm, profile_id: str, stored_gateway: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        gateway = gateway_settings(
            form.gateway, profile_id, self.simulator_url, self.sealer, stored_gateway, now=self.now()
        )
        return {**form.settings(), "gateway": gateway}

    async def _check(self, row: ProfileEntry) -> ConnectionCheck:
        """Check the connection to the gateway. The change of the profile is stored already, and stays even if the check
        fails."""
        if row.settings["gateway"]["driver"] == "simulator":
            return ConnectionCheck(None)
        response = await check_connection(self.sender, row, ADDED_CHECK_SECONDS)
        if isinstance(response, dict):
            return ConnectionCheck(response)
        reason = UNKNOWN_PROFILE if response is None else response.reason
        return ConnectionCheck(None, (SettingWarning("/gateway", f"the connection was not checked: {reason}"),))

    async def _phone_warnings(self, row: ProfileEntry) -> tuple[SettingWarning, ...]:
        other = await self.registry.profile_with_phone(row.settings["phone"], row.profile_id)
        if other is None:
            return ()
        detail = f"the profile {other!r} has the same phone number: if both are one account, it gets twice its limits"
        return (SettingWarning("/phone", detail),)

    async def _response(
        self,
        package: PackageEntry,
        row: ProfileEntry,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        check: ConnectionCheck | None = None,
    ) -> Response:
        await self.config_cache.wait_until_applied(package.package_id, package.version)
        warnings = [
            *profile_limit_warnings(effective_limits(package, row), "/limits"),
            *(check.warnings if check else ()),
            *await self._phone_warnings(row),
        ]
        body = {
            **profile_body(package, row, self.public_url),
            **({"check": check.result} if check else {}),
            "warnings": [asdict(warning) for warning in warnings],
        }
        return ApiResponse(status, body, {"ETag": profile_etag(package, row), **(headers or {})}).render()

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=f"{API}/packages/{{package_id}}/profiles", tags=["profiles"])
        one = "/{profile_id}"
        add_route(
            router,
            "POST",
            "",
            self.create,
            "createProfile",
            "Add a profile to a package",
            status=201,
            body=NewProfile,
            example=PROFILE_EXAMPLE,
            shape=ChangedProfileBody,
            response=CREATED_EXAMPLE,
            problems=(400, 404, 409, 413, 422),
        )
        add_route(
            router,
            "GET",
            "",
            self.list,
            "listProfiles",
            "List a package's profiles",
            shape=PageBody[ProfileBody],
            response={"data": [STORED_EXAMPLE], "next_cursor": None},
            problems=(400, 404, 422),
        )
        shown: dict[str, Any] = {"shape": ProfileBody, "response": STORED_EXAMPLE}
        add_route(router, "GET", one, self.get, "getProfile", "Get a profile", **shown, problems=(404,))
        add_route(
            router,
            "PATCH",
            one,
            self.change,
            "changeProfile",
            "Change settings of a profile",
            body=ProfileForm,
            patch=True,
            example={"limits": {"per_hour": 10}},
            shape=ChangedProfileBody,
            response=CHANGED_EXAMPLE,
            problems=(400, 404, 409, 412, 413, 422),
        )
        add_route(
            router, "DELETE", one, self.delete, "deleteProfile", "Delete a profile", status=204, problems=(404, 412)
        )
        paused: dict[str, Any] = {"shape": ChangedProfileBody, "response": CHANGED_EXAMPLE, "problems": (404, 412)}
        add_route(router, "POST", one + "/pause", self.pause, "pauseProfile", "Pause a profile", **paused)
        add_route(router, "POST", one + "/resume", self.resume, "resumeProfile", "Resume a profile", **paused)
        self._add_move(router, one)
        return router

    def _add_move(self, router: APIRouter, one: str) -> None:
        add_route(
            router,
            "POST",
            one + "/move",
            self.move,
            "moveProfile",
            "Move a profile to another package",
            body=MoveForm,
            example={"package_id": "pkg_support"},
            shape=ChangedProfileBody,
            response=CHANGED_EXAMPLE,
            problems=(400, 404, 409, 412, 413, 422),
        )


PROFILE_EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "name": "Sales WhatsApp #1",
    "phone": "201001234567",
    "weight": None,
    "limits": {"per_hour": 15},
    "gateway": {"driver": "simulator"},
}
STORED_EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "package_id": "pkg_orders",
    "backup": False,
    "name": "Sales WhatsApp #1",
    "phone": "201001234567",
    "weight": None,
    "limits": {"per_hour": 15},
    "warm_up_from": None,
    "gateway": {
        "driver": "waha",
        "base_url": "https://waha.example.com",
        "account": "sales",
        "credentials": {"set": True, "names": ["api_key", "hmac_key"]},
    },
    "webhook_url": "https://spreader.example.com/api/v1/webhooks/waha/pkg_orders/profile_1",
    "effective_limits": {
        "per_hour": 15,
        "per_3_hours": 50,
        "per_day": 120,
        "new_contacts_per_day": None,
        "per_recipient_per_day": 2,
        "unanswered_per_30_days": 300,
    },
    "paused": False,
    "created_at": "2024-02-08T18:41:00Z",
    "updated_at": "2024-02-08T18:46:00Z",
}
CHANGED_EXAMPLE: dict[str, Any] = {**STORED_EXAMPLE, "warnings": []}
CREATED_EXAMPLE: dict[str, Any] = {
    **CHANGED_EXAMPLE,
    "check": {
        "ok": True,
        "session": "working",
        "quality": None,
        "detail": "the session `sales` works",
        "code": None,
        "took_seconds": 0.21,
    },
}
