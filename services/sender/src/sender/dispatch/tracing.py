"""Traced sending: the span of one claim: the last of a message's trace, and what its outcome goes on from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from opentelemetry.trace import Span, SpanKind

from sender.config_cache import SenderConfigCache
from sender.core.claim_result import Again, Fate, Settled
from sender.core.delivery import Delivery, lane_of
from sender.ledger.claim import Claim
from spreader.telemetry.tracing import Step, Tracing, fail, with_span

NOT_SENT = frozenset({"failed", "unknown", "expired"})


@dataclass(frozen=True, slots=True)
class TracedSending:
    sending: Callable[[Claim], Awaitable[Fate]]
    tracing: Tracing
    profiles: SenderConfigCache

    async def __call__(self, claim: Claim) -> Fate:
        if not self.tracing.on:
            return await self.sending(claim)
        with self.tracing.within(self._step(claim)) as span:
            fate = await self.sending(replace(claim, delivery=with_span(claim.delivery, span)))
            _note(span, fate)
            return fate

    def _step(self, claim: Claim) -> Step:
        delivery = claim.delivery
        driver = self._driver(delivery)
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
        return Step(f"send {driver}", SpanKind.CLIENT, delivery.traceparent, attributes)

    def _driver(self, delivery: Delivery) -> str:
        profile = self.profiles.profile(delivery.package_id, delivery.profile_id)
        return "unknown" if profile is None else profile.gateway.driver


def _note(span: Span, fate: Fate) -> None:
    """Never the gateway's own id: WhatsApp's hold the customer's number."""
    match fate:
        case Settled(status):
            span.set_attribute("spreader.status", status)
            if status in NOT_SENT:
                fail(span, status)
        case Again():
            span.set_attribute("spreader.status", "tried again")
        case _:
            span.set_attribute("spreader.status", "in doubt")
