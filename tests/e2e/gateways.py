"""Gateways: packages whose profiles use simulated gateways, set up as operators and Meta's dashboard do it."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from e2e.system import Response, RunningSystem

BASES: Mapping[str, str] = {"cloud_api": "/cloud/v23.0", "waha": "/waha", "evolution": "/evolution"}
DRIVERS = tuple(BASES)
SECRETS: Mapping[str, tuple[str, ...]] = {
    "cloud_api": ("access_token", "app_secret", "verify_token"),
    "waha": ("api_key", "hmac_key"),
    "evolution": ("api_key", "webhook_token"),
}
FAST_PACING: Mapping[str, Any] = {
    "profile_limits": {"per_hour": 3_600, "per_3_hours": 10_000, "per_day": 20_000, "unanswered_per_30_days": None},
    "gap": {"min_seconds": 1, "max_seconds": 1},
    "rest_window": None,
}
"""Package settings with which open messages are released within seconds of real time."""


def credentials_of(driver: str, profile_id: str) -> dict[str, str]:
    """Credentials that are unique to a profile, so that a test can search for them."""
    return {name: f"SECRET-{name}-{profile_id}-0123456789abcdef" for name in SECRETS[driver]}


def account_of(driver: str, profile_id: str) -> str:
    """The account id of a profile at its gateway. Meta uses digits."""
    return f"1055{crc32(profile_id.encode()):010}" if driver == "cloud_api" else profile_id


def phone_of(profile_id: str) -> str:
    return f"2011{crc32(profile_id.encode()) % 10**8:08}"


async def create_gateway_package(
    system: RunningSystem,
    package_id: str,
    driver: str,
    profiles: int,
    address: str | None = None,
    behaviour: Mapping[str, Any] | None = None,
    **settings: Any,
) -> list[str]:
    """Create a package with profiles at a simulated gateway and return the profiles' ids.

    `address` is the URL of the gateway; the default is the simulator itself. `behaviour`: how the simulated accounts
    behave.
    """
    gateway = address or f"http://127.0.0.1:{system.ports['simulator']}"
    package = {"package_id": package_id, "name": package_id, **FAST_PACING, **settings}
    created = await system.ask("POST", "/packages", package)
    assert created.status == 201, created.body
    ids = [f"{package_id}_p{number + 1}" for number in range(profiles)]
    for profile_id in ids:
        await _register(system, driver, package_id, profile_id, behaviour or {})
        target = {"driver": driver, "base_url": f"{gateway}{BASES[driver]}", "account": account_of(driver, profile_id)}
        profile = {
            "profile_id": profile_id,
            "name": profile_id,
            "phone": phone_of(profile_id),
            "gateway": {**target, "credentials": credentials_of(driver, profile_id)},
        }
        added = await system.ask("POST", f"/packages/{package_id}/profiles", profile)
        assert added.status == 201, added.body
    return ids


async def _register(
    system: RunningSystem, driver: str, package_id: str, profile_id: str, behaviour: Mapping[str, Any]
) -> None:
    webhooks = f"http://127.0.0.1:{system.ports['ingress']}/api/v1/webhooks"
    account = {
        "profile_id": profile_id,
        "package_id": package_id,
        "phone": phone_of(profile_id),
        "credentials": credentials_of(driver, profile_id),
        "webhook_url": f"{webhooks}/{driver}/{package_id}/{profile_id}",
        "behaviour": dict(behaviour),
    }
    put = await system.ask_simulator("PUT", f"/accounts/{driver}/{account_of(driver, profile_id)}", account)
    assert put.status == 200, put.body


async def add_fault(system: RunningSystem, **fields: Any) -> None:
    added = await system.ask_simulator("POST", "/faults", fields)
    assert added.status == 201, added.body


async def send_open_message(system: RunningSystem, package_id: str, content: Mapping[str, Any], *people: str) -> str:
    """Send an open message and return its id."""
    body = {**content, "recipients": people}
    answer = await system.ask("POST", f"/packages/{package_id}/messages/open", body)
    assert answer.status == 202, answer.body
    return answer.body["message_id"]


async def send_reply(
    system: RunningSystem, package_id: str, content: Mapping[str, Any], person: str, **more: Any
) -> Response:
    body = {**content, "recipient": person, **more}
    return await system.ask("POST", f"/packages/{package_id}/messages/reply", body)


async def only_delivery(system: RunningSystem, message_id: str) -> dict[str, Any] | None:
    """The only delivery of a message as the API shows it; None until it exists."""
    page = await system.ask("GET", f"/messages/{message_id}/deliveries")
    return page.body["data"][0] if page.status == 200 and page.body["data"] else None
