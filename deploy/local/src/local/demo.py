"""Demo: the command `make demo`, which sends replies and a campaign through a running system and shows the results."""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from local.api_client import ApiClient
from local.demo_package import PACKAGE_ID, PROFILES, make_demo_package, profile_id
from local.home import LocalHome
from local.settings import LocalSettings, describe_errors
from local.unavailable import Unavailable
from local.view import View
from spreader.clock import wall_now

RECIPIENTS = 40
CUSTOMERS = 3
CONVERSATION_SECONDS, CONVERSATION_POLL_SECONDS = 10.0, 0.1
WATCH_SECONDS = 45.0
POLL_SECONDS = 1.0
UNCHANGED_POLLS_MAX = 12  # after this many polls without a change, the demo stops watching
_NOT_FINAL = ("held", "released")


def demo() -> int:
    """Run the demo. Returns the exit code."""
    view = View.of_this_process()
    try:
        asyncio.run(_demo(LocalSettings(), view))
    except KeyboardInterrupt:
        return 0
    except Unavailable as reason:
        view.log(str(reason), level="error")
        return 1
    except ValidationError as error:
        view.log(describe_errors(error), level="error")
        return 1
    return 0


async def _demo(settings: LocalSettings, view: View) -> None:
    ingress, simulator = _address(settings, "ingress"), _address(settings, "simulator")
    async with ApiClient(f"{ingress}/api/v1", settings.caller_key) as api, ApiClient(simulator) as gateway:
        await make_demo_package(ingress, settings.caller_key, view)
        await _converse(api, gateway, view)
        await _campaign(api, view)
    view.print(f"All messages that arrived: {simulator}/ledger")


def _address(settings: LocalSettings, service: str) -> str:
    """A service's address. For a system in containers, the environment has the address. Otherwise it is read from the
    files of the system in this home."""
    address = os.environ.get(f"SPREADER_{service.upper()}_URL")
    if address:
        return address
    running = LocalHome(settings.home.resolve()).running()
    if running is None or service not in running["addresses"]:
        raise Unavailable(
            f"No system runs in {settings.home.resolve()}. Start one with `make up` and leave it running."
        )
    return running["addresses"][service]


async def _converse(api: ApiClient, gateway: ApiClient, view: View) -> None:
    """Let customers write. Each customer gets a reply from the profile that this customer wrote to."""
    view.print(f"{CUSTOMERS} customers write, and each gets a reply:")
    for number in range(1, CUSTOMERS + 1):
        phone, profile = f"2012000000{number:02}", profile_id(number % PROFILES + 1)
        await gateway.post(f"/customers/{phone}/messages", {"profile": profile, "text": "Where is my order?"})
        await _wait_for_conversation(api, phone, profile)
        began = time.monotonic()
        response = await api.post(
            f"/packages/{PACKAGE_ID}/messages/reply",
            {"type": "text", "text": "It arrives tomorrow.", "recipient": phone},
        )
        milliseconds = (time.monotonic() - began) * 1000
        used, status = response.get("profile_used"), response.get("status")
        view.print(f"  wrote to {profile}; reply from {used}: {status} after {milliseconds:.0f} ms")


async def _wait_for_conversation(api: ApiClient, phone: str, profile: str) -> None:
    """Return when the customer's message has bound the conversation to the profile."""
    deadline = time.monotonic() + CONVERSATION_SECONDS
    while time.monotonic() < deadline:
        conversation = await api.get(f"/packages/{PACKAGE_ID}/conversations/{phone}")
        if conversation is not None and conversation.get("profile_id") == profile:
            return
        await asyncio.sleep(CONVERSATION_POLL_SECONDS)


async def _campaign(api: ApiClient, view: View) -> None:
    first = 20_130_000_000 + int(wall_now().timestamp()) % 9_000_000
    body: Mapping[str, Any] = {
        "type": "text",
        "text": "Hello! Our new collection is here. Answer STOP if you do not want to hear of it.",
        "recipients": [str(first + number) for number in range(RECIPIENTS)],
    }
    response = await api.post(f"/packages/{PACKAGE_ID}/messages/open", body)
    view.print(f"A campaign to {RECIPIENTS} recipients was accepted as {response['message_id']}:")
    view.print(f"  deliveries per profile: {_counts_line(response.get('distribution') or {})}")
    if response.get("estimated_completion"):
        view.print(
            f"  expected to be complete at {response['estimated_completion']}, within the limits of each profile"
        )
    await _watch(api, response["message_id"], view)


async def _watch(api: ApiClient, message_id: str, view: View) -> None:
    """Print the counts whenever they change, until all deliveries are final or nothing changes."""
    deadline = time.monotonic() + WATCH_SECONDS
    last: dict[str, int] = {}
    unchanged = 0
    while time.monotonic() < deadline and unchanged < UNCHANGED_POLLS_MAX:
        status = await api.get(f"/messages/{message_id}") or {}
        counts = {name: count for name, count in status.get("counts", {}).items() if count}
        unchanged = unchanged + 1 if counts == last else 0
        if counts != last:
            view.print(f"  {_counts_line(counts)}")
        last = counts
        if counts and not any(counts.get(name) for name in _NOT_FINAL):
            return
        await asyncio.sleep(POLL_SECONDS)
    held = last.get("held", 0)
    if held:
        view.print(f"  {held} are held until their profiles may send again")
        view.print("  To watch a day in minutes: SPREADER_CLOCK_SPEED=600 make up")


def _counts_line(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count}" for name, count in counts.items())
