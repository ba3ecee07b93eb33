"""Sending: the way of one claim: ask where there is doubt, call the gateway, and decide by its answer."""

import asyncio
import time
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import structlog

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import Fate, Settled, fate
from sender.core.decision import (
    NO_TIME,
    AskAgain,
    Decision,
    Defer,
    RetryHere,
    SendAgain,
    Sent,
    Standing,
    Suppress,
    Unknown,
    resolve,
    settle,
    standing,
    too_late,
    with_doubt,
)
from sender.core.gateway_answer import Accepted, Answer, InDoubt, Refused
from sender.dispatch.consent_check import OptIns
from sender.gateways.driver import Driver, Drivers, Ready
from sender.ledger.claim import Claim
from sender.ledger.postgres import Ledger
from sender.metrics import IN_DOUBT, REPLY_SECONDS, SEND_SECONDS, SENDS
from spreader.clock import Now
from spreader.consent import NOT_OPTED_IN, objection
from spreader.contract.configuration import Profile
from spreader.contract.content import TemplateContent, TextContent

log = structlog.get_logger()

UNREAD_WAIT = timedelta(seconds=30)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sending:
    """`call_seconds`: the lease that is left must outlast a call; else it is renewed before the call."""

    ledger: Ledger
    profiles: SenderConfigCache
    drivers: Drivers
    now: Now
    speed: float
    rng: Random
    call_seconds: float
    opt_ins: OptIns | None = None
    """Without it nobody is known to have opted in, or not to have: replies need none."""

    async def __call__(self, claim: Claim) -> Fate:
        """What becomes of the delivery. Cancelled, it gives the claim back and says in what state."""
        decision = await self._decide(claim)
        now = self.now()
        ended = fate(decision, claim.delivery, now, self.speed)
        if isinstance(decision, Sent) and self.ledger.lane == "reply":
            REPLY_SECONDS.observe((now - claim.delivery.requested_at).total_seconds() / self.speed)
        if isinstance(ended, Settled) and ended.status in ("failed", "unknown", "expired"):
            log.warning(
                "a delivery was not sent" if ended.status != "unknown" else "nobody knows whether a delivery was sent",
                delivery_id=claim.delivery.delivery_id, lane=self.ledger.lane, status=ended.status,
                tries=claim.tries, profile_id=claim.delivery.profile_id, reason=getattr(decision, "reason", None),
            )  # fmt: skip
        return ended

    async def _decide(self, claim: Claim) -> Decision:
        if claim.heard is not None:
            return Sent(claim.heard or None)  # the gateway itself has told of it
        try:
            delivery = claim.delivery
            profile = await self.profiles.wait_for_profile(delivery.package_id, delivery.profile_id)
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
        decision = resolve(finding, self._standing(claim, doubtful=True))
        if isinstance(decision, SendAgain):
            return await self._send(replace(claim, in_doubt=decision.doubtful), profile, driver, decision.doubtful)
        return decision

    async def _send(self, claim: Claim, profile: Profile, driver: Driver, doubtful: bool) -> Decision:
        late = too_late(claim.delivery, self.now())
        if late is not None:
            return with_doubt(late) if doubtful else late
        ready = await self._prepared(claim, profile, driver)
        if isinstance(ready, Refused):
            return self._settle(ready, claim, profile, doubtful)
        forbidden = await self._objection(claim)
        if forbidden is not None:
            return forbidden
        held = claim if claim.lasts(self.call_seconds) and not doubtful else await self.ledger.renew(claim, doubtful)
        if held is None:
            return AskAgain(NO_TIME)  # another worker has it: the ledger will not take our word
        try:
            answer = await self._kept(claim, self._call(claim, profile, driver, ready))
        except asyncio.CancelledError:
            return AskAgain(NO_TIME)
        return self._settle(answer, claim, profile, doubtful)

    async def _prepared(self, claim: Claim, profile: Profile, driver: Driver) -> Ready | Refused:
        try:
            return await self._kept(claim, driver.prepare(claim.delivery, profile))
        except Exception as error:  # the database or the store of media is away: nothing was sent
            log.warning("a delivery could not be prepared", delivery_id=claim.delivery.delivery_id, at=_place(error))
            return Refused("transient", f"it could not be prepared: {type(error).__name__}")

    async def _kept(self, claim: Claim, work: Coroutine[Any, Any, T]) -> T:
        """With a file it takes longer than a lease to fetch, upload and send: the lease is renewed meanwhile."""
        if isinstance(claim.delivery.content, TextContent | TemplateContent):
            return await work
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=self.ledger.lease.total_seconds() / 3))[0]:
                try:
                    await self.ledger.renew(claim)
                except Exception as error:  # without a lease the result is not written; whoever has it then asks
                    log.warning("a lease was not renewed", delivery_id=claim.delivery.delivery_id, at=_place(error))
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _settle(self, answer: Answer, claim: Claim, profile: Profile, doubtful: bool) -> Decision:
        name = profile.gateway.driver
        SENDS.labels(self.ledger.lane, name, _result(answer)).inc()
        return settle(answer, self._standing(claim, doubtful), self.rng)

    def _standing(self, claim: Claim, doubtful: bool) -> Standing:
        return standing(claim.delivery, claim.tries, self.now(), self.speed, doubtful, claim.resent)

    async def _objection(self, claim: Claim) -> Suppress | Defer | None:
        """Replies are not suppressed: the customer wrote, and may be told that we heard."""
        if self.ledger.lane == "reply":
            return None
        only = self.profiles.opted_in_only(claim.delivery.package_id)
        reason = objection(claim.listed, only)
        if reason == NOT_OPTED_IN:
            listed = None if self.opt_ins is None else await self.opt_ins.listed(claim.delivery)
            if listed is None:
                return Defer(UNREAD_WAIT, "changes of consent are still unread, and it writes to who has opted in only")
            reason = objection(listed, only)
        return None if reason is None else Suppress(reason)

    async def _call(self, claim: Claim, profile: Profile, driver: Driver, ready: Ready) -> Answer:
        began = time.monotonic()
        try:
            answer = await driver.send(ready, claim.delivery, profile)
        except Exception as error:  # a driver's defect must not lose the delivery, nor send it twice
            log.error(
                "a driver failed", driver=profile.gateway.driver, delivery_id=claim.delivery.delivery_id,
                error=type(error).__name__, at=_place(error),
            )  # fmt: skip
            answer = InDoubt(f"the driver failed: {type(error).__name__}")
        SEND_SECONDS.labels(self.ledger.lane, profile.gateway.driver).observe(time.monotonic() - began)
        return answer

    def _unreachable(self, claim: Claim, profile: Profile | None) -> Decision:
        if claim.in_doubt:
            return Unknown("it may have been sent, and the profile is not configured any more: nobody can be asked")
        reason = (
            "the profile is not configured (any more)"
            if profile is None
            else f"this version of the sender has no driver {profile.gateway.driver}"
        )
        return settle(Refused("profile", reason), self._standing(claim, doubtful=False), self.rng)


def _place(error: BaseException) -> str:
    """Where it came from; not its text, nor the values around it: they may hold a key or a customer's words."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""


def _result(answer: Answer) -> str:
    match answer:
        case Accepted():
            return "accepted"
        case Refused(failure):
            return failure
        case InDoubt():
            return "in_doubt"
