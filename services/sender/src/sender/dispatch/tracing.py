"""Attempt tracing: the span of one claim. The events of the claim's result carry this span as their trace context."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from opentelemetry.trace import Span, SpanKind

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import ClaimResult, RetryLater, SettledClaim
from sender.core.delivery import Delivery, lane_of
from sender.ledger.claim import Claim
from spreader.telemetry.tracing import SpanSpec, Tracing, mark_failed, with_span

NOT_SENT = frozenset({"failed", "unknown", "expired"})


@dataclass(frozen=True, slots=True)
class TracedAttempts:
    run_untraced: Callable[[Claim], Awaitable[ClaimResult]]
    tracing: Tracing
    config: SenderConfigCache

    async def run(self, claim: Claim) -> ClaimResult:
        if not self.tracing.on:
            return await self.run_untraced(claim)
        with self.tracing.span(self._span_spec(claim)) as span:
            result = await self.run_untraced(replace(claim, delivery=with_span(claim.delivery, span)))
            _record_result(span, result)
            return result

    def _span_spec(self, claim: Claim) -> SpanSpec:
        delivery = claim.delivery
        driver = self._driver_name(delivery)
        attributes: dict[str, str | int] = {
            "spreader.message_id": delivery.message_id,
            "spreader.delivery_id": delivery.delivery_id,
            "spreader.package_id": delivery.package_id,
            "spreader.profile_id": delivery.profile_id,
            "spreader.lane": lane_of(delivery),
            "spreader.attempt": delivery.attempt,
            "spreader.tries": claim.tries,
            "spreader.driver": driver,
        }
        return SpanSpec(f"send {driver}", SpanKind.CLIENT, delivery.traceparent, attributes)

    def _driver_name(self, delivery: Delivery) -> str:
        profile = self.config.profile(delivery.package_id, delivery.profile_id)
        return "unknown" if profile is None else profile.gateway.driver


def _record_result(span: Span, result: ClaimResult) -> None:
    """Leaves out the gateway's own message id, because WhatsApp's ids contain the customer's number."""
    match result:
        case SettledClaim(status):
            span.set_attribute("spreader.status", status)
            if status in NOT_SENT:
                mark_failed(span, status)
        case RetryLater():
            span.set_attribute("spreader.status", "tried again")
        case _:
            span.set_attribute("spreader.status", "in doubt")
