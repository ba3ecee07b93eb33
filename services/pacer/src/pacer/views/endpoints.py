"""Endpoints: the pacer's own small HTTP API: what would become of these deliveries, and why not yet?"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field, NonNegativeInt

from pacer.core.forecast import Outlook
from pacer.views.explain import Explaining
from pacer.views.forecast import Asked, Foreseeing
from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions
from spreader.contract.ids import Id, PhoneNumber

SAMPLE_MAX = 1_000
T = TypeVar("T")


class Ask(BaseModel):
    """How many deliveries each profile would get, and when they may go; some recipients, for their time zones."""

    package_id: Id
    deliveries: dict[Id, NonNegativeInt]
    recipients: tuple[PhoneNumber, ...] = Field(default=(), max_length=SAMPLE_MAX)
    options: OpenOptions = OpenOptions()
    message_id: Id | None = None
    """Where it is accepted already; what is held of it does not wait ahead of itself."""


class Proposal(BaseModel):
    """A package as it would be."""

    package: Package


class Hour(BaseModel):
    begin: datetime
    deliveries: int
    profiles: Mapping[str, int]


class ProfileForecast(BaseModel):
    completion: datetime | None
    deliveries: int
    binds: str


class Forecast(BaseModel):
    completion: datetime | None
    """None: something is stopped (a paused profile), so the end cannot be told."""
    binds: str
    """The bound that holds most of the releases."""
    counted_until: datetime | None
    profiles: Mapping[str, ProfileForecast]
    curve: list[Hour]


class WhatIf(BaseModel):
    now: Forecast
    then: Forecast


def add_endpoints(app: FastAPI, foreseeing: Foreseeing, explaining: Explaining) -> None:
    @app.post("/forecast")
    async def forecast(ask: Ask) -> Forecast:
        asked = Asked(ask.deliveries, ask.recipients, ask.options, ask.message_id)
        outlook = await foreseeing.message(ask.package_id, asked)
        return _forecast(_known(outlook, f"package {ask.package_id}"))

    @app.post("/what-if")
    async def what_if(proposal: Proposal) -> WhatIf:
        package_id = proposal.package.package_id
        present = _known(foreseeing.directory.package(package_id), f"package {package_id}")
        return WhatIf(
            now=_forecast(await foreseeing.queue(present)), then=_forecast(await foreseeing.queue(proposal.package))
        )

    @app.get("/packages/{package_id}/queue")
    async def queue(package_id: str) -> dict[str, Any]:
        return _known(await explaining.queue(package_id), f"package {package_id}")

    @app.get("/deliveries/{delivery_id}/explain")
    async def explain(delivery_id: str) -> dict[str, Any]:
        return _known(await explaining.delivery(delivery_id), f"delivery {delivery_id}")


def _known(found: T | None, name: str) -> T:
    if found is None:
        raise HTTPException(404, f"the pacer has no {name}")
    return found


def _forecast(outlook: Outlook) -> Forecast:
    return Forecast(
        completion=outlook.completion,
        binds=outlook.binds,
        counted_until=outlook.counted_until,
        profiles={
            profile: ProfileForecast(completion=each.completion, deliveries=each.deliveries, binds=each.binds)
            for profile, each in outlook.profiles.items()
        },
        curve=[
            Hour(begin=hour, deliveries=sum(profiles.values()), profiles=profiles)
            for hour, profiles in outlook.curve.items()
        ],
    )
