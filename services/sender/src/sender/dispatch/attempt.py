"""Attempt: processes one claim. It looks up a delivery in doubt, calls the gateway, and decides by the gateway's
answer."""

import asyncio
import time
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, TypeVar, assert_never

import structlog

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import ClaimResult, SettledClaim, claim_result
from sender.core.decision import (
    CANCELLED_BY_ERASURE,
    ERASED_IN_DOUBT,
    NO_TIME,
    AskGateway,
    AttemptState,
    Cancel,
    Decision,
    Defer,
    MarkSent,
    MarkUnknown,
    RetryHere,
    SendNow,
    Suppress,
    attempt_state,
    decide,
    decide_in_doubt,
    too_late,
    with_doubt,
)
from sender.core.found_message import CLOCK_ERROR_MAX, asked_at, forms_of
from sender.core.gateway_answer import (
    GatewayAnswer,
    LookupUnsupported,
    MessageFound,
    SendAccepted,
    SendInDoubt,
    SendRefused,
)
from sender.dispatch.claim_permit import ClaimPermit, PermitState
from sender.dispatch.consent_check import ConsentCheck
from sender.gateways.call_permit import requiring
from sender.gateways.driver import Driver, Drivers, PreparedSend
from sender.ledger.call_starts import CallStarts
from sender.ledger.claim import Claim, Stop
from sender.ledger.postgres import DeliveryLedger
from sender.metrics import IN_DOUBT, REPLY_SECONDS, SEND_SECONDS, SENDS
from spreader.clock import Now
from spreader.consent import NOT_OPTED_IN, SUPPRESSED, objection
from spreader.contract.configuration import Profile
from spreader.contract.content import TemplateContent, TextContent
from spreader.contract.ids import ERASED
from spreader.text.clean_text import clean

log = structlog.get_logger()

CONSENT_WAIT = timedelta(seconds=30)
"""If an opt-in could not be checked, the pacer waits this long before it releases the delivery again."""

START_WAIT = timedelta(seconds=0.5)
"""If the ledger could not store that a call begins, the delivery is claimed again after this time."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AttemptRunner:
    """`call_seconds`: how long the lease must still last when the ledger has stored that a call begins. If the lease
    ends sooner, the process was frozen in between, and the ledger stores the start again."""

    ledger: DeliveryLedger
    config: SenderConfigCache
    drivers: Drivers
    now: Now
    speed: float
    rng: Random
    starts: CallStarts
    call_seconds: float
    consent_check: ConsentCheck | None = None
    """None in the reply lane, because replies need no opt-in."""

    async def run(self, claim: Claim) -> ClaimResult:
        """The result of the claim. If the task is cancelled, this still returns a result, so that another sender can
        continue at once."""
        decision = await self._decide(claim)
        now = self.now()
        result = claim_result(decision, claim.delivery, now, self.speed)
        if isinstance(decision, MarkSent) and self.ledger.lane == "reply":
            REPLY_SECONDS.observe((now - claim.delivery.requested_at).total_seconds() / self.speed)
        if isinstance(result, SettledClaim) and result.status in ("failed", "unknown", "expired"):
            log.warning(
                "delivery was not sent and is not tried again"
                if result.status != "unknown"
                else "delivery may have been sent; it is not sent again",
                delivery_id=claim.delivery.delivery_id,
                lane=self.ledger.lane,
                status=result.status,
                tries=claim.tries,
                profile_id=claim.delivery.profile_id,
                reason=getattr(decision, "reason", None),
            )
        return result

    async def _decide(self, claim: Claim) -> Decision:
        if claim.reported_id is not None:
            return MarkSent(claim.reported_id or None)  # the gateway itself has reported the message
        try:
            delivery = claim.delivery
            profile = await self.config.wait_for_profile(delivery.package_id, delivery.profile_id)
            driver = None if profile is None else self.drivers.get(profile.gateway.driver)
            if profile is None or driver is None:
                return self._without_driver(claim, profile)
            if claim.in_doubt:
                return await self._look_up(claim, profile, driver)
            return await self._send(claim, profile, driver, doubtful=False)
        except asyncio.CancelledError:
            return AskGateway(NO_TIME) if claim.in_doubt else RetryHere(NO_TIME)

    async def _look_up(self, claim: Claim, profile: Profile, driver: Driver) -> Decision:
        """Asks the gateway whether an earlier claim sent the delivery. If the decision is to send it, sends it now."""
        IN_DOUBT.labels(self.ledger.lane).inc()
        lookup = await driver.find(claim.delivery, profile)
        if isinstance(lookup, MessageFound) and lookup.by_text and not await self._is_only_delivery(claim):
            lookup = LookupUnsupported("the gateway shows such a message, but another delivery may be meant")
        decision = decide_in_doubt(lookup, self._state(claim, doubtful=True))
        if isinstance(decision, SendNow):
            return await self._send(replace(claim, in_doubt=decision.doubtful), profile, driver, decision.doubtful)
        return decision

    async def _is_only_delivery(self, claim: Claim) -> bool:
        """Whether the profile has had no other delivery to this recipient since this one was to be sent."""
        passed = (self.now() - asked_at(claim.delivery)) / self.speed + CLOCK_ERROR_MAX
        return await self.ledger.is_only_delivery(claim.delivery, forms_of(claim.delivery.recipient), passed)

    async def _send(self, claim: Claim, profile: Profile, driver: Driver, doubtful: bool) -> Decision:
        if claim.delivery.recipient == ERASED:
            return Cancel(CANCELLED_BY_ERASURE)
        if claim.cancelled:
            return Cancel()
        late = too_late(claim.delivery, self.now())
        if late is not None:
            return with_doubt(late) if doubtful else late
        prepared = await self._prepare(claim, profile, driver)
        if isinstance(prepared, SendRefused):
            return self._decide_by(prepared, claim, profile, doubtful)
        forbidden = await self._check_consent(claim)
        if forbidden is not None:
            return forbidden
        permit = ClaimPermit(self.starts, claim, doubtful, self.call_seconds)
        try:
            answer = await self._with_lease(claim, self._call(claim, profile, driver, prepared, permit))
        except asyncio.CancelledError:
            return AskGateway(NO_TIME) if doubtful or permit.state is PermitState.GIVEN else RetryHere(NO_TIME)
        match permit.state:
            case PermitState.GIVEN:
                return self._decide_by(answer, claim, profile, doubtful)
            case PermitState.REFUSED:
                return AskGateway(NO_TIME)  # the claim is no longer valid, so the ledger drops this result
            case PermitState.STOPPED:
                return _decide_by_stop(permit.stop, doubtful)
            case PermitState.FAILED:
                again = RetryHere(START_WAIT)
                return with_doubt(again) if doubtful else again
            case PermitState.NOT_ASKED:  # no request was written
                return self._decide_by(_not_sent(answer), claim, profile, doubtful)
            case _:
                assert_never(permit.state)

    async def _prepare(self, claim: Claim, profile: Profile, driver: Driver) -> PreparedSend | SendRefused:
        try:
            return await self._with_lease(claim, driver.prepare(claim.delivery, profile))
        except Exception as error:  # the database or the media store is unavailable: nothing was sent
            log.warning(
                "preparing a delivery failed before anything was sent; it counts as a transient failure",
                delivery_id=claim.delivery.delivery_id,
                at=_source_line(error),
            )
            return SendRefused("transient", clean(f"it could not be prepared: {type(error).__name__}"))

    async def _with_lease(self, claim: Claim, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. If the content has a file, this renews the lease until `work` ends, because a file
        takes long to fetch and send."""
        if isinstance(claim.delivery.content, TextContent | TemplateContent):
            return await work
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=self.ledger.lease.total_seconds() / 3))[0]:
                # At worst the lease ends. Then another worker asks the gateway, and the ledger drops the result of this
                # claim.
                try:
                    await self.ledger.renew(claim)
                except Exception as error:
                    log.warning(
                        "renewing a lease failed; it is tried again until the call ends",
                        delivery_id=claim.delivery.delivery_id,
                        at=_source_line(error),
                    )
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _decide_by(self, answer: GatewayAnswer, claim: Claim, profile: Profile, doubtful: bool) -> Decision:
        SENDS.labels(self.ledger.lane, profile.gateway.driver, _result_label(answer)).inc()
        return decide(answer, self._state(claim, doubtful), self.rng)

    def _state(self, claim: Claim, doubtful: bool) -> AttemptState:
        return attempt_state(claim.delivery, claim.tries, self.now(), self.speed, doubtful, claim.resent)

    async def _check_consent(self, claim: Claim) -> Suppress | Defer | None:
        """What to do instead of the send if consent forbids it; None if consent allows it.

        Replies are always allowed, because the customer wrote first. A reply may also confirm an opt-out.
        """
        if self.ledger.lane == "reply":
            return None
        opted_in_only = self.config.opted_in_only(claim.delivery.package_id)
        reason = objection(claim.consents, opted_in_only)
        if reason == NOT_OPTED_IN:
            consents = None if self.consent_check is None else await self.consent_check.current_consents(claim.delivery)
            if consents is None:
                return Defer(CONSENT_WAIT, "the opt-in cannot be checked: changes of consent are still unread")
            reason = objection(consents, opted_in_only)
        return None if reason is None else Suppress(reason)

    async def _call(
        self, claim: Claim, profile: Profile, driver: Driver, prepared: PreparedSend, permit: ClaimPermit
    ) -> GatewayAnswer:
        began = time.monotonic()
        try:
            with requiring(permit):
                answer = await driver.send(prepared, claim.delivery, profile)
        except Exception as error:  # a defect in a driver must neither lose the delivery nor send it twice
            log.error(
                "driver raised an exception; if its request was written, the delivery is looked up next",
                driver=profile.gateway.driver,
                delivery_id=claim.delivery.delivery_id,
                error=type(error).__name__,
                at=_source_line(error),
            )
            answer = SendInDoubt(clean(f"the driver failed: {type(error).__name__}"))
        SEND_SECONDS.labels(self.ledger.lane, profile.gateway.driver).observe(time.monotonic() - began)
        return answer

    def _without_driver(self, claim: Claim, profile: Profile | None) -> Decision:
        if claim.in_doubt:
            return MarkUnknown(
                "it may have been sent, and its profile is no longer configured, so it cannot be looked up"
            )
        reason = (
            "the profile is not configured"
            if profile is None
            else f"this version of the sender has no driver {profile.gateway.driver}"
        )
        return decide(SendRefused("profile", clean(reason)), self._state(claim, doubtful=False), self.rng)


def _decide_by_stop(stop: Stop | None, doubtful: bool) -> Cancel | Suppress | MarkUnknown:
    if stop == "erased":
        return MarkUnknown(ERASED_IN_DOUBT) if doubtful else Cancel(CANCELLED_BY_ERASURE)
    return Suppress(SUPPRESSED) if stop == "suppressed" else Cancel()


def _not_sent(answer: GatewayAnswer) -> GatewayAnswer:
    """The answer to a send whose request was not written."""
    return SendRefused("transient", answer.reason) if isinstance(answer, SendInDoubt) else answer


def _source_line(error: BaseException) -> str:
    """File and line of the error. Its text and values are left out, because they may contain a key or a customer's
    message."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""


def _result_label(answer: GatewayAnswer) -> str:
    match answer:
        case SendAccepted():
            return "accepted"
        case SendRefused(failure):
            return failure
        case SendInDoubt():
            return "in_doubt"
