"""Sent routes: builds the endpoints that show messages and deliveries, and send again what failed."""

from dataclasses import dataclass

from ingress.configuration.config_cache import IngressConfigCache
from ingress.http.openapi import Endpoint
from ingress.infra.service_client import ServiceClient
from ingress.messages.idempotency import IdempotentResponses
from ingress.messages.media_check import MediaCheck
from ingress.messages.resend_endpoint import ResendEndpoint
from ingress.messages.resends import Resends
from ingress.status.delivery_endpoint import DeliveryEndpoint
from ingress.status.delivery_list_endpoint import DeliveryListEndpoint
from ingress.status.message_endpoint import MessageEndpoint
from ingress.status.message_list_endpoint import MessageListEndpoint
from spreader.kafka.bus import Bus


@dataclass(frozen=True, slots=True)
class SentRoutes:
    """`kept_days`: how many days a message is kept after its last event. `found_wait_seconds`: how long a request waits
    for a message that was just accepted."""

    bus: Bus
    config_cache: IngressConfigCache
    router: ServiceClient
    pacer: ServiceClient
    kept_days: float
    found_wait_seconds: float

    def build(self, resends: Resends, responses: IdempotentResponses, media_check: MediaCheck) -> tuple[Endpoint, ...]:
        projection, now = resends.projection, resends.now
        messages = MessageEndpoint(projection, self.bus, now, self.found_wait_seconds)
        return (
            MessageListEndpoint(projection, self.config_cache, self.kept_days),
            messages,
            ResendEndpoint(messages.message, self.config_cache, responses, media_check, resends, now),
            DeliveryListEndpoint(projection),
            DeliveryEndpoint(projection, self.router, self.pacer),
        )
