"""URL: where the API and the webhooks of profiles begin."""

from spreader.contract.configuration import Driver

API = "/api/v1"


def webhook_path(driver: Driver, package_id: str, profile_id: str) -> str:
    """The address, on this server, that a profile's gateway is to be told."""
    return f"{API}/webhooks/{driver}/{package_id}/{profile_id}"
