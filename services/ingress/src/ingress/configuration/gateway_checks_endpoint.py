"""Checks: whether a profile's gateway answers, and whether numbers are on WhatsApp; asked of the sender."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field, TypeAdapter

from ingress.configuration.config_cache import IngressConfigCache, active_profiles
from ingress.configuration.packages_endpoint import BODY_BYTES_MAX
from ingress.configuration.registry import ProfileRow, Registry
from ingress.core.open_messages import without_repeats
from ingress.http import request_body
from ingress.http.form import Form
from ingress.http.openapi import describe
from ingress.http.pagination import PathId
from ingress.http.responses import Answer
from ingress.http.urls import API
from ingress.infra.service_client import ServiceClient, ServiceResponse, ServiceUnavailable, require
from spreader.contract.configuration import Profile
from spreader.contract.ids import PhoneNumber

NUMBERS_MAX = 100
CHECK_SECONDS = 15.0
ADDED_CHECK_SECONDS = 5.0
"""A profile that is added waits no longer for its test."""
UNKNOWN = "The sender does not know the profile yet."


class NumbersForm(Form):
    numbers: Annotated[tuple[PhoneNumber, ...], Field(min_length=1, max_length=NUMBERS_MAX)] = Field(
        examples=[["201001234567"]]
    )


_NUMBERS = TypeAdapter(NumbersForm)


async def try_connection(sender: ServiceClient, row: ProfileRow, seconds: float) -> ServiceResponse:
    """What the sender finds at the profile's gateway, with the settings of this very row."""
    gateway = row.settings["gateway"]
    asked = {name: gateway.get(name) for name in ("driver", "base_url", "account", "sealed")}
    place = {"package_id": row.package_id, "profile_id": row.profile_id}
    return await sender.query("/profiles/check", {**place, **asked}, seconds)


@dataclass(frozen=True, slots=True)
class Checks:
    registry: Registry
    configured: IngressConfigCache
    sender: ServiceClient

    async def profile(self, package_id: PathId, profile_id: PathId) -> Response:
        _, row = await self.registry.profile(package_id, profile_id)
        return await self._check(row)

    async def any_profile(self, profile_id: PathId) -> Response:
        return await self._check(await self.registry.profile_anywhere(profile_id))

    async def numbers(self, package_id: PathId, request: Request) -> Response:
        form = request_body.parsed(_NUMBERS, await request_body.read(request, BODY_BYTES_MAX))
        numbers = without_repeats(form.numbers)
        shares = _shared(numbers, _checkers(active_profiles(self.configured.require_package(package_id), "open")))
        answers = await asyncio.gather(*(self._ask(package_id, each, share) for each, share in shares.items()))
        if answers and all(isinstance(each, ServiceUnavailable) for each in answers):
            require(answers[0], UNKNOWN)
        found: dict[str, Mapping[str, Any]] = {}
        for profile_id, share, answer in zip(shares, shares.values(), answers, strict=True):
            found |= _found(profile_id, share, answer)
        return Answer(200, {"numbers": [found[number] for number in numbers]}).response()

    async def _check(self, row: ProfileRow) -> Response:
        answer = require(await try_connection(self.sender, row, CHECK_SECONDS), UNKNOWN)
        return Answer(200, {"profile_id": row.profile_id, **answer}).response()

    async def _ask(self, package_id: str, profile_id: str, numbers: Sequence[str]) -> ServiceResponse:
        asked = {"package_id": package_id, "profile_id": profile_id, "numbers": numbers}
        return await self.sender.query("/numbers/check", asked, CHECK_SECONDS)

    def routes(self) -> APIRouter:
        router = APIRouter(prefix=API, tags=["profiles"])
        describe(router, "POST", "/packages/{package_id}/profiles/{profile_id}/check", self.profile, "checkProfile",
                 "Test the connection to a profile's gateway", answer=CHECK, problems=(404, 503))  # fmt: skip
        describe(router, "POST", "/profiles/{profile_id}/check", self.any_profile, "checkProfileById",
                 "Test the connection to a profile's gateway, without its package", answer=CHECK,
                 problems=(404, 503))  # fmt: skip
        describe(router, "POST", "/packages/{package_id}/numbers/check", self.numbers, "checkNumbers",
                 "Which numbers are on WhatsApp", body=NumbersForm, example={"numbers": ["201001234567"]},
                 answer=NUMBERS, problems=(400, 404, 409, 413, 422, 503))  # fmt: skip
        return router


def _checkers(profiles: Sequence[Profile]) -> Sequence[Profile]:
    """Who can ask: linked devices. Meta tells nobody; its profiles are asked only where there are no others."""
    return [each for each in profiles if each.gateway.driver != "cloud_api"] or profiles


def _shared(numbers: Sequence[str], profiles: Sequence[Profile]) -> dict[str, Sequence[str]]:
    """In turn, so that no profile asks for more than its share: to ask is itself conspicuous."""
    shares = {each.profile_id: numbers[place :: len(profiles)] for place, each in enumerate(profiles)}
    return {profile_id: share for profile_id, share in shares.items() if share}


def _found(profile_id: str, numbers: Sequence[str], answer: ServiceResponse) -> dict[str, Mapping[str, Any]]:
    told = answer.get("numbers", ()) if isinstance(answer, dict) else ()
    why = answer.reason if isinstance(answer, ServiceUnavailable) else "the sender said nothing of it"
    unknown = {"exists": None, "checked_at": None, "detail": why}
    known = {each["number"]: each for each in told}
    return {number: {"number": number, **unknown, **known.get(number, {}), "profile_id": profile_id}
            for number in numbers}  # fmt: skip


CHECK: dict[str, Any] = {
    "profile_id": "profile_1",
    "ok": True,
    "session": "working",
    "quality": "green",
    "detail": "the number answers as +20 100 123 4567",
    "code": None,
    "took_seconds": 0.21,
}
NUMBERS: dict[str, Any] = {
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
