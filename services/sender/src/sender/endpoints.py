"""Endpoints: the sender's internal HTTP API. It checks profiles and numbers, and reports outcomes that the pacer asks
for."""

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sender.config_cache import SenderConfigCache
from sender.core.lost_outcome import ReleaseInQuestion
from sender.gateways.driver import Drivers
from sender.gateways.health_poller import HealthPoller
from sender.gateways.hidden_ids import number_behind
from sender.gateways.number_check import NumberChecker, NumberResult
from sender.gateways.requested_profile import RequestedProfile, same_access
from sender.ledger.lost_outcomes import LostOutcomes
from spreader.contract.answers import NumberCheckItem, NumberCheckResponse, ProfileCheckResponse
from spreader.contract.ids import Id, PhoneNumber

NUMBERS_MAX = 100
RELEASES_MAX = 500


class NumberCheckRequest(BaseModel):
    package_id: Id
    profile_id: Id
    numbers: Annotated[list[PhoneNumber], Field(min_length=1, max_length=NUMBERS_MAX)]


class HiddenIdRequest(BaseModel):
    """An id by which WhatsApp names a person to a profile, and which hides the number."""

    package_id: Id
    profile_id: Id
    hidden_id: Annotated[str, Field(min_length=1, max_length=256)]


class HiddenIdResponse(BaseModel):
    number: PhoneNumber | None


class ReleaseInQuestionView(BaseModel):
    package_id: Id
    message_id: Id
    delivery_id: Id
    recipient: PhoneNumber
    profile_id: Id
    attempt: int
    release: int


class OutcomesRequest(BaseModel):
    """Releases whose outcomes the pacer never got."""

    model_config = ConfigDict(hide_input_in_errors=True)

    releases: Annotated[list[ReleaseInQuestionView], Field(min_length=1, max_length=RELEASES_MAX)]


class OutcomesResponse(BaseModel):
    """`reported`: how many outcomes are published again. `in_progress`: how many releases have no outcome yet."""

    reported: int
    in_progress: int


def add_outcome_endpoint(app: FastAPI, lost_outcomes: LostOutcomes) -> None:
    @app.post("/releases/outcomes")
    async def report_outcomes(request: OutcomesRequest) -> OutcomesResponse:
        releases = [ReleaseInQuestion(**release.model_dump()) for release in request.releases]
        reported = await lost_outcomes.report(releases)
        return OutcomesResponse(reported=reported, in_progress=len(releases) - reported)


@dataclass(frozen=True, slots=True)
class CheckEndpoints:
    drivers: Drivers
    config: SenderConfigCache
    numbers: NumberChecker
    poller: HealthPoller

    async def check_profile(self, request: RequestedProfile) -> ProfileCheckResponse:
        began = time.monotonic()
        profile = request.profile()
        check = await self.drivers[request.driver].check(profile)
        configured = self.config.profile(request.package_id, request.profile_id)
        if check.reached and configured is not None and same_access(configured.gateway, profile.gateway):
            # Report the check now, so that a lane closed for wrong credentials can open before the next scheduled
            # check.
            await self.poller.report(request.package_id, configured, check)
        return ProfileCheckResponse(
            ok=check.ok,
            session=check.session,
            quality=check.quality,
            detail=check.detail,
            code=check.code,
            took_seconds=round(time.monotonic() - began, 3),
        )

    async def check_numbers(self, request: NumberCheckRequest) -> NumberCheckResponse:
        profile = await self.config.wait_for_profile(request.package_id, request.profile_id)
        if profile is None:
            raise HTTPException(404, f"package {request.package_id} has no profile {request.profile_id}")
        results = await self.numbers.check(profile, request.numbers)
        return NumberCheckResponse(numbers=[_item(result) for result in results])


def add_endpoints(app: FastAPI, endpoints: CheckEndpoints) -> None:
    @app.post("/profiles/check")
    async def check_profile(request: RequestedProfile) -> ProfileCheckResponse:
        return await endpoints.check_profile(request)

    @app.post("/numbers/check")
    async def check_numbers(request: NumberCheckRequest) -> NumberCheckResponse:
        return await endpoints.check_numbers(request)


def add_hidden_id_endpoint(app: FastAPI, drivers: Drivers, config: SenderConfigCache) -> None:
    @app.post("/hidden-ids/number")
    async def number_of_hidden_id(request: HiddenIdRequest) -> HiddenIdResponse:
        profile = await config.wait_for_profile(request.package_id, request.profile_id)
        if profile is None:
            raise HTTPException(404, f"package {request.package_id} has no profile {request.profile_id}")
        return HiddenIdResponse(number=await number_behind(drivers, profile, request.hidden_id))


def _item(result: NumberResult) -> NumberCheckItem:
    return NumberCheckItem(
        number=result.number, exists=result.exists, checked_at=result.checked_at, detail=result.detail
    )
