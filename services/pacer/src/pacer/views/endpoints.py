"""Endpoints: the pacer's internal HTTP API. It serves forecasts and explains why deliveries wait. Other endpoints make
the pacer ask the sender for missing outcomes, and continue contacts under a new number."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Response
from pydantic import AwareDatetime, BaseModel, Field, NonNegativeInt

from pacer.core.forecast.package_forecast import PackageForecast
from pacer.intake.new_numbers import NewNumbers
from pacer.release.outcome_requests import OutcomeRequests
from pacer.views.explain import Explainer
from pacer.views.forecast import Forecaster, PlannedMessage
from pacer.views.forecast_process import ForecastRefused, Purpose
from pacer.views.recipient_habits import RecipientHabits
from spreader.contract.answers import (
    ForecastHour,
    HeldPacedDelivery,
    KnownReadings,
    PacedDelivery,
    PackageForecastView,
    ProfileForecastView,
    WhatIfForecast,
)
from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions
from spreader.contract.ids import Id, PhoneNumber
from spreader.http.long_answers import in_pieces
from spreader.http.problems import RETRY_AFTER_SECONDS
from spreader.phone.canonical import person_key

SAMPLE_MAX = 1_000
T = TypeVar("T")


class ForecastRequest(BaseModel):
    """How many deliveries each profile would get, the message's options, and some recipients for their time zones."""

    package_id: Id
    package_version: int | None = None
    """The forecast waits until the pacer knows this version. Before that it may not know all of these profiles."""
    deliveries: dict[Id, NonNegativeInt]
    recipients: tuple[PhoneNumber, ...] = Field(default=(), max_length=SAMPLE_MAX)
    options: OpenOptions = OpenOptions()
    message_id: Id | None = None
    """The message's id, if the message is accepted already. Then its own held deliveries do not count as ahead of
    it."""
    purpose: Purpose = "preview"
    """An `answer` is a forecast for the response to a request with a message. It simulates fewer releases and has no
    curve."""


class WhatIfRequest(BaseModel):
    """The package with the settings to try out."""

    package: Package


class ContactNumber(BaseModel):
    """The new number of a person, and when the person changed it."""

    recipient: PhoneNumber
    at: AwareDatetime


class FollowedContact(BaseModel):
    """Whether the old number is a contact, which now continues under the new number."""

    followed: bool


def add_other_endpoints(
    app: FastAPI, outcome_requests: OutcomeRequests, recipient_habits: RecipientHabits, new_numbers: NewNumbers
) -> None:
    """The endpoints about missing outcomes and about a recipient."""

    @app.post("/packages/{package_id}/outcomes")
    async def ask_for_outcomes(package_id: str) -> dict[str, Any]:
        return asdict(await outcome_requests.ask_now(package_id))

    @app.get("/recipients/{recipient}")
    async def reading(recipient: PhoneNumber) -> KnownReadings:
        return KnownReadings(reading=await recipient_habits.describe(recipient))

    @app.post("/packages/{package_id}/contacts/{recipient}/new-number")
    async def new_number(package_id: Id, recipient: PhoneNumber, body: ContactNumber) -> FollowedContact:
        followed = await new_numbers.follow(package_id, person_key(recipient), person_key(body.recipient), body.at)
        return FollowedContact(followed=followed)


def add_endpoints(app: FastAPI, forecaster: Forecaster, explainer: Explainer) -> None:
    @app.post("/forecast")
    async def forecast(request: ForecastRequest) -> PackageForecastView:
        await forecaster.config.wait_for_versions([(request.package_id, request.package_version)])
        message = PlannedMessage(request.deliveries, request.recipients, request.options, request.message_id)
        async with refused_as_503():
            package_forecast = await forecaster.message(request.package_id, message, request.purpose)
        return _view(_required(package_forecast, f"package {request.package_id}"))

    @app.post("/what-if")
    async def what_if(request: WhatIfRequest) -> WhatIfForecast:
        package_id = request.package.package_id
        current = _required(forecaster.config.package(package_id), f"package {package_id}")
        async with refused_as_503():
            now, then = await forecaster.queue(current), await forecaster.queue(request.package)
        return WhatIfForecast(now=_view(now), then=_view(then))

    @app.get("/packages/{package_id}/queue")
    async def queue(package_id: str) -> Response:
        found = _required(await explainer.queue(package_id), f"package {package_id}")
        return Response(await in_pieces(found, "profiles"), media_type="application/json")

    @app.get("/deliveries/{delivery_id}/explain", response_model=dict[str, Any])
    async def explain(delivery_id: str) -> PacedDelivery | HeldPacedDelivery:
        return _required(await explainer.delivery(delivery_id), f"delivery {delivery_id}")


@contextlib.asynccontextmanager
async def refused_as_503() -> AsyncGenerator[None]:
    try:
        yield
    except ForecastRefused as error:
        raise HTTPException(503, str(error), {"Retry-After": str(RETRY_AFTER_SECONDS)}) from error


def _required(value: T | None, name: str) -> T:
    if value is None:
        raise HTTPException(404, f"the pacer has no {name}")
    return value


def _view(forecast: PackageForecast) -> PackageForecastView:
    return PackageForecastView(
        completion=forecast.completion,
        binds=forecast.binds,
        counted_until=forecast.counted_until,
        simulated=forecast.simulated,
        profiles={
            profile_id: ProfileForecastView(
                completion=profile.completion, deliveries=profile.deliveries, binds=profile.binds
            )
            for profile_id, profile in forecast.profiles.items()
        },
        curve=[
            ForecastHour(begin=hour, deliveries=sum(profiles.values()), profiles=profiles)
            for hour, profiles in forecast.curve.items()
        ],
    )
