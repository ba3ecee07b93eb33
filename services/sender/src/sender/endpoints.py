"""Endpoints: the sender's own small HTTP API: does this profile work at its gateway, and do these numbers exist?"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sender.config_cache import SenderConfigCache
from sender.gateways.driver import Drivers
from sender.gateways.health_poller import Watch
from sender.gateways.number_check import Number, Numbers
from spreader.contract.configuration import Driver, Gateway, Profile
from spreader.contract.events import Quality, SessionState
from spreader.contract.ids import Id, PhoneNumber

NUMBERS_MAX = 100
NO_NUMBER = "0000000"
"""A profile that is only being made has no phone yet, and no gateway is asked by it."""


class ProfileAsk(BaseModel):
    """A gateway as it is, or as it would be: the profile need not exist."""

    model_config = ConfigDict(hide_input_in_errors=True)

    package_id: Id
    profile_id: Id
    driver: Driver
    base_url: str
    account: str
    sealed: str | None = Field(default=None, repr=False)


class ProfileAnswer(BaseModel):
    ok: bool
    session: SessionState | None
    quality: Quality | None
    detail: str
    code: str | None
    took_seconds: float


class NumbersAsk(BaseModel):
    package_id: Id
    profile_id: Id
    numbers: Annotated[list[PhoneNumber], Field(min_length=1, max_length=NUMBERS_MAX)]


class NumberAnswer(BaseModel):
    number: PhoneNumber
    exists: bool | None
    checked_at: datetime | None
    detail: str


class NumbersAnswer(BaseModel):
    numbers: list[NumberAnswer]


@dataclass(frozen=True, slots=True)
class Asking:
    drivers: Drivers
    profiles: SenderConfigCache
    numbers: Numbers
    watch: Watch

    async def profile(self, ask: ProfileAsk) -> ProfileAnswer:
        began = time.monotonic()
        gateway = Gateway(driver=ask.driver, base_url=ask.base_url, account=ask.account, sealed=ask.sealed)
        profile = Profile(profile_id=ask.profile_id, name=ask.profile_id, phone=NO_NUMBER, gateway=gateway)
        checked = await self.drivers[ask.driver].check(profile)
        known = self.profiles.profile(ask.package_id, ask.profile_id)
        if checked.reached and known is not None and known.gateway.sealed == ask.sealed:
            # A lane that was closed for a wrong key opens by this, not only by the next round of the watch.
            await self.watch.tell(ask.package_id, known, checked)
        return ProfileAnswer(
            ok=checked.ok,
            session=checked.session,
            quality=checked.quality,
            detail=checked.detail,
            code=checked.code,
            took_seconds=round(time.monotonic() - began, 3),
        )

    async def all_numbers(self, ask: NumbersAsk) -> NumbersAnswer:
        profile = await self.profiles.wait_for_profile(ask.package_id, ask.profile_id)
        if profile is None:
            raise HTTPException(404, f"package {ask.package_id} has no profile {ask.profile_id}")
        return NumbersAnswer(numbers=[_answer(each) for each in await self.numbers.check(profile, ask.numbers)])


def add_endpoints(app: FastAPI, asking: Asking) -> None:
    @app.post("/profiles/check")
    async def check_profile(ask: ProfileAsk) -> ProfileAnswer:
        return await asking.profile(ask)

    @app.post("/numbers/check")
    async def check_numbers(ask: NumbersAsk) -> NumbersAnswer:
        return await asking.all_numbers(ask)


def _answer(number: Number) -> NumberAnswer:
    return NumberAnswer(number=number.number, exists=number.exists, checked_at=number.checked_at, detail=number.detail)
