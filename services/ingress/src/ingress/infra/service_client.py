"""Service client: the common library's client for the HTTP APIs of the other services."""

from spreader.http.service_client import ServiceClient, ServiceResponse, ServiceUnavailable, require_body

__all__ = ["ServiceClient", "ServiceResponse", "ServiceUnavailable", "require_body"]
