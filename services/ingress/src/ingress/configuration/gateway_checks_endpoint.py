"""Gateway checks endpoint: asks the sender whether a profile's connection works, and which numbers are on WhatsApp."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, FailFast, Field, TypeAdapter

from ingress.configuration.config_cache import IngressConfigCache, active_profiles
from ingress.configuration.packages_endpoint import BODY_BYTES_MAX
from ingress.configuration.registry import Registry
from ingress.core.open_messages import without_repeats
from ingress.http import request_body
from ingress.http.dialled_numbers import dialled_numbers
from ingress.http.json_bounds import count_wrong, some
from ingress.http.openapi import add_route
from ingress.http.pagination import PathId
from ingress.http.request_body import RequestForm
from ingress.http.responses import ApiResponse
from ingress.http.urls import API
from ingress.infra.service_client import ServiceClient, ServiceResponse, ServiceUnavailable, require_body
from ingress.sql.configuration import ProfileEntry
from spreader.contract.answers import NumberCheckItem, ProfileCheckResponse
from spreader.contract.configuration import Profile
from spreader.contract.ids import Id, PhoneNumber
from spreader.http.problems import Problem

NUMBERS_MAX = 100
CHECK_SECONDS = 15.0
ADDED_CHECK_SECONDS = 5.0
"""The time limit for checking a connection after a profile is added or changed. It is short, because the response to
the caller waits for the check."""
UNKNOWN_PROFILE = "The sender does not know the profile yet."


class NumbersForm(RequestForm):
    numbers: Annotated[tuple[PhoneNumber, ...], FailFast(), count_wrong(NUMBERS_MAX), some(NUMBERS_MAX)] = Field(
        examples=[["201001234567"]]
    )


class ConnectionBody(ProfileCheckResponse):
    profile_id: Id


class NumberBody(NumberCheckItem):
    """`profile_id`: the profile that was asked to check the number."""

    profile_id: Id


class NumbersBody(BaseModel):
    numbers: list[NumberBody]


_NUMBERS = TypeAdapter(NumbersForm)


async def check_connection(sender: ServiceClient, row: ProfileEntry, seconds: float) -> ServiceResponse:
    """Ask the sender to check the connection to a profile's gateway. The query contains the gateway settings, because
    the sender may not have read them from Kafka yet."""
    gateway = row.settings["gateway"]
    query = {
        "package_id": row.package_id,
        "profile_id": row.profile_id,
        **{name: gateway.get(name) for name in ("driver", "base_url", "account", "sealed")},
    }
    return await sender.query("/profiles/check", query, seconds)


@dataclass(frozen=True, slots=True)
class GatewayChecksEndpoint:
    registry: Registry
    config_cache: IngressConfigCache
    sender: ServiceClient

    async def check_profile(self, package_id: PathId, profile_id: PathId) -> Response:
        _, row = await self.registry.profile(package_id, profile_id)
        return await self._check(row)

    async def check_profile_by_id(self, profile_id: PathId) -> Response:
        return await self._check(await self.registry.profile_anywhere(profile_id))

    async def check_numbers(self, package_id: PathId, request: Request) -> Response:
        """Each profile checks its share of the numbers. The response is 503 if the sender could check no share."""
        form = request_body.parse(_NUMBERS, await request_body.read(request, BODY_BYTES_MAX))
        package = self.config_cache.require_package(package_id)
        dialled = dialled_numbers(form.numbers, package.default_country, "/numbers")
        if isinstance(dialled, Problem):
            raise dialled
        numbers = without_repeats(dialled)
        shares = _shares(numbers, _checkers(active_profiles(package, "open")))
        responses = await asyncio.gather(
            *(self._query_numbers(package_id, profile_id, share) for profile_id, share in shares.items())
        )
        if responses and all(isinstance(response, ServiceUnavailable) for response in responses):
            require_body(responses[0], UNKNOWN_PROFILE)
        results: dict[str, Mapping[str, Any]] = {}
        for profile_id, share, response in zip(shares, shares.values(), responses, strict=True):
            results |= _results(profile_id, share, response)
        return ApiResponse(200, {"numbers": [results[number] for number in numbers]}).render()

    async def _check(self, row: ProfileEntry) -> Response:
        result = require_body(await check_connection(self.sender, row, CHECK_SECONDS), UNKNOWN_PROFILE)
        return ApiResponse(200, {"profile_id": row.profile_id, **result}).render()

    async def _query_numbers(self, package_id: str, profile_id: str, numbers: Sequence[str]) -> ServiceResponse:
        query = {"package_id": package_id, "profile_id": profile_id, "numbers": numbers}
        return await self.sender.query("/numbers/check", query, CHECK_SECONDS)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["profiles"])
        add_route(
            router,
            "POST",
            "/packages/{package_id}/profiles/{profile_id}/check",
            self.check_profile,
            "checkProfile",
            "Check the connection to a profile's gateway",
            shape=ConnectionBody,
            response=CHECK_EXAMPLE,
            problems=(404, 503),
        )
        add_route(
            router,
            "POST",
            "/profiles/{profile_id}/check",
            self.check_profile_by_id,
            "checkProfileById",
            "Check the connection to a profile's gateway, without its package",
            shape=ConnectionBody,
            response=CHECK_EXAMPLE,
            problems=(404, 503),
        )
        add_route(
            router,
            "POST",
            "/packages/{package_id}/numbers/check",
            self.check_numbers,
            "checkNumbers",
            "Check which numbers are on WhatsApp",
            body=NumbersForm,
            example={"numbers": ["201001234567"]},
            shape=NumbersBody,
            response=NUMBERS_EXAMPLE,
            problems=(400, 404, 409, 413, 422, 503),
        )
        return router


def _checkers(profiles: Sequence[Profile]) -> Sequence[Profile]:
    """The profiles that are asked to check numbers. Profiles of the Cloud API are left out, because the Cloud API
    cannot check numbers. If all profiles are of the Cloud API, they are asked anyway, and the sender reports why it
    cannot check."""
    return [profile for profile in profiles if profile.gateway.driver != "cloud_api"] or profiles


def _shares(numbers: Sequence[str], profiles: Sequence[Profile]) -> dict[str, Sequence[str]]:
    """The numbers that each profile checks. Each profile gets an equal share, because WhatsApp notices many checks by
    one account."""
    shares = {profile.profile_id: numbers[index :: len(profiles)] for index, profile in enumerate(profiles)}
    return {profile_id: share for profile_id, share in shares.items() if share}


def _results(profile_id: str, numbers: Sequence[str], response: ServiceResponse) -> dict[str, Mapping[str, Any]]:
    """The results by number. If a number was not checked, `exists` is None and `detail` says why."""
    checked = response.get("numbers", ()) if isinstance(response, dict) else ()
    reason = response.reason if isinstance(response, ServiceUnavailable) else "the sender returned no result for it"
    unknown = {"exists": None, "checked_at": None, "detail": reason}
    by_number = {result["number"]: result for result in checked}
    return {
        number: {"number": number, **unknown, **by_number.get(number, {}), "profile_id": profile_id}
        for number in numbers
    }


CHECK_EXAMPLE: dict[str, Any] = {
    "profile_id": "profile_1",
    "ok": True,
    "session": "working",
    "quality": "green",
    "detail": "the number answers as +20 100 123 4567",
    "code": None,
    "took_seconds": 0.21,
}
NUMBERS_EXAMPLE: dict[str, Any] = {
    "numbers": [
        {
            "number": "201001234567",
            "exists": True,
            "checked_at": "2024-02-08T18:45:12Z",
            "detail": "on WhatsApp",
            "profile_id": "profile_1",
        }
    ]
}
