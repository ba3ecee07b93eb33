"""URLs: the path prefix of the API, and the path of a profile's webhook."""

from spreader.contract.configuration import Driver

API = "/api/v1"


def webhook_path(driver: Driver, package_id: str, profile_id: str) -> str:
    """The path on this server that the profile's gateway must call."""
    return f"{API}/webhooks/{driver}/{package_id}/{profile_id}"
