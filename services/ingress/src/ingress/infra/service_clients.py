"""Service clients: one for each service that the ingress asks over HTTP."""

from ingress.settings import IngressSettings
from spreader.http.service_client import HttpServiceClient


def service_clients(settings: IngressSettings) -> tuple[HttpServiceClient, HttpServiceClient, HttpServiceClient]:
    return (
        HttpServiceClient("router", settings.router_url, settings.internal_token),
        HttpServiceClient("pacer", settings.pacer_url, settings.internal_token),
        HttpServiceClient("sender", settings.sender_url, settings.internal_token),
    )
