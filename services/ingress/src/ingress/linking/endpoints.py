"""Linking endpoints: builds the endpoint that links accounts, and the endpoint that sets webhooks."""

from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.credentials import CredentialSealer
from ingress.configuration.registry import Registry
from ingress.infra.service_client import ServiceClient
from ingress.linking.link_attempts import LinkAttempts
from ingress.linking.link_endpoint import LinkEndpoint
from ingress.linking.webhook_arrivals import WebhookArrivals
from ingress.linking.webhook_endpoint import WebhookSetupEndpoint
from spreader.clock import wall_now


def link_endpoints(
    engine: AsyncEngine,
    registry: Registry,
    sealer: CredentialSealer,
    sender: ServiceClient,
    arrivals: WebhookArrivals,
    public_url: str | None,
) -> tuple[LinkEndpoint, WebhookSetupEndpoint]:
    attempts = LinkAttempts(engine, sealer, wall_now)
    return (
        LinkEndpoint(registry, attempts, sender, public_url),
        WebhookSetupEndpoint(registry, arrivals, sender, public_url),
    )
