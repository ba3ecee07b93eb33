"""Sending: the way of one claim: ask where there is doubt, call the gateway, and decide by its answer."""

import asyncio
import time
from dataclasses import dataclass, replace
from random import Random

import structlog

from sender.claim import Claim
from sender.core.answer import Accepted, Answer, InDoubt, Refused
from sender.core.fate import Fate, Settled, fate
from sender.core.settle import (
    NO_TIME,
    AskAgain,
    Decision,
    RetryHere,
    SendAgain,
    Suppress,
    Unknown,
    resolve,
    settle,
    standing,
    too_late,
)
from sender.drivers import Driver, Drivers
from sender.metrics import IN_DOUBT, SEND_SECONDS, SENDS
from sender.postgres import Ledger
from sender.profiles import Profiles
from spreader.clock import Now
from spreader.configuration import Profile
from spreader.consents import objection

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sending:
    """`call_seconds`: the lease that is left must outlast a call; else it is renewed before the call."""

    ledger: Ledger
    profiles: Profiles
    drivers: Drivers
    now: Now
    speed: float
    rng: Random
    call_seconds: float

    async def __call__(self, claim: Claim) -> Fate:
        """What becomes of the delivery. Cancelled, it gives the claim back and says in what state."""
        decision = await self._decide(claim)
        ended = fate(decision, claim.delivery, self.now(), self.speed)
        if isinstance(ended, Settled) and ended.status in ("failed", "unknown", "expired"):
            log.warning(
                "a delivery was not sent" if ended.status != "unknown" else "nobody knows whether a delivery was sent",
                delivery_id=claim.delivery.delivery_id, lane=self.ledger.lane, status=ended.status,
                tries=claim.tries, profile_id=claim.delivery.profile_id, reason=getattr(decision, "reason", None),
            )  # fmt: skip
        return ended

    async def _decide(self, claim: Claim) -> Decision:
        try:
            delivery = claim.delivery
            profile = await self.profiles.find(delivery.package_id, delivery.profile_id)
            driver = None if profile is None else self.drivers.get(profile.gateway.driver)
            if profile is None or driver is None:
                return self._unreachable(claim, profile)
            if claim.in_doubt:
                return await self._resolve(claim, profile, driver)
            return await self._send(claim, profile, driver, doubtful=False)
        except asyncio.CancelledError:
            return AskAgain(NO_TIME) if claim.in_doubt else RetryHere(NO_TIME)

    async def _resolve(self, claim: Claim, profile: Profile, driver: Driver) -> Decision:
        """It may have been sent: the gateway knows best."""
        IN_DOUBT.labels(self.ledger.lane).inc()
        finding = await driver.find(claim.delivery, profile)
        decision = resolve(finding, standing(claim.delivery, claim.tries, self.now(), self.speed, doubtful=True))
        if isinstance(decision, SendAgain):
            return await self._send(replace(claim, in_doubt=decision.doubtful), profile, driver, decision.doubtful)
        return decision

    async def _send(self, claim: Claim, profile: Profile, driver: Driver, doubtful: bool) -> Decision:
        held = claim if claim.lasts(self.call_seconds) else await self.ledger.renew(claim)
        if held is None:
            return AskAgain(NO_TIME)  # another worker has it: the ledger will not take our word
        late = too_late(claim.delivery, self.now())
        if late is not None:
            return late
        forbidden = self._objection(claim)
        if forbidden is not None:
            return Suppress(forbidden)
        try:
            answer = await self._call(claim, profile, driver)
        except asyncio.CancelledError:
            return AskAgain(NO_TIME)
        return settle(answer, standing(claim.delivery, claim.tries, self.now(), self.speed, doubtful), self.rng)

    def _objection(self, claim: Claim) -> str | None:
        """Replies are not suppressed: the customer wrote, and may be told that we heard."""
        if self.ledger.lane == "reply":
            return None
        return objection(claim.listed, self.profiles.opted_in_only(claim.delivery.package_id))

    async def _call(self, claim: Claim, profile: Profile, driver: Driver) -> Answer:
        began = time.monotonic()
        try:
            answer = await driver.send(claim.delivery, profile)
        except Exception as error:  # a driver's defect must not lose the delivery, nor send it twice
            log.exception("a driver failed", driver=profile.gateway.driver, delivery_id=claim.delivery.delivery_id)
            answer = InDoubt(f"the driver failed: {type(error).__name__}")
        name = profile.gateway.driver
        SEND_SECONDS.labels(self.ledger.lane, name).observe(time.monotonic() - began)
        SENDS.labels(self.ledger.lane, name, _result(answer)).inc()
        return answer

    def _unreachable(self, claim: Claim, profile: Profile | None) -> Decision:
        if claim.in_doubt:
            return Unknown("it may have been sent, and the profile is not configured any more: nobody can be asked")
        reason = (
            "the profile is not configured (any more)"
            if profile is None
            else f"this version of the sender has no driver {profile.gateway.driver}"
        )
        at = standing(claim.delivery, claim.tries, self.now(), self.speed, doubtful=False)
        return settle(Refused("profile", reason), at, self.rng)


def _result(answer: Answer) -> str:
    match answer:
        case Accepted():
            return "accepted"
        case Refused(failure):
            return failure
        case InDoubt():
            return "in_doubt"
