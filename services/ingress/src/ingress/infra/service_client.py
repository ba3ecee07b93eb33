"""Service client: the client of internal HTTP APIs, which is in the common library."""

from spreader.http.service_client import ServiceClient, ServiceResponse, ServiceUnavailable, require_body

__all__ = ["ServiceClient", "ServiceResponse", "ServiceUnavailable", "require_body"]
