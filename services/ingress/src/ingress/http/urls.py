"""URLs: the path prefix of the API, and the address of a profile's webhook."""

from spreader.contract.configuration import Driver

API = "/api/v1"


def webhook_url(public_url: str | None, driver: Driver, package_id: str, profile_id: str) -> str:
    """The address that the profile's gateway must call. Without `public_url` it is only the path on this server."""
    return f"{(public_url or '').rstrip('/')}{API}/webhooks/{driver}/{package_id}/{profile_id}"
