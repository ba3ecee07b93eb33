"""Gateway query: asks the sender to call a profile's gateway, because only the sender calls gateways."""

from collections.abc import Mapping
from typing import Any

from ingress.infra.service_client import ServiceClient, require_body
from ingress.sql.configuration import ProfileEntry

BODY_BYTES_MAX = 64 * 1024
OLDER_SENDER = "The sender is older than the ingress and does not know this call."


async def ask_sender(
    sender: ServiceClient, path: str, row: ProfileEntry, seconds: float, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns the sender's response. The query contains the gateway settings, because the sender may not have read them
    yet. Raises the problem `unavailable` if the sender does not answer."""
    gateway = row.settings["gateway"]
    query = {
        "package_id": row.package_id,
        "profile_id": row.profile_id,
        "phone": row.settings["phone"],
        **{name: gateway.get(name) for name in ("driver", "base_url", "account", "sealed")},
        **(more or {}),
    }
    return require_body(await sender.query(path, query, seconds), OLDER_SENDER)
