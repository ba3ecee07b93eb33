"""Demo: `make demo`: a campaign and a talk with customers, sent through the API of a running system and watched."""

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from local.api import Api
from local.demo_package import PACKAGE_ID, PROFILES, make_demo_package, profile_id
from local.home import Home
from local.settings import LocalSettings, what_is_wrong
from local.unavailable import Unavailable
from local.view import View
from spreader.clock import wall_now

RECIPIENTS = 40
CUSTOMERS = 3
HEARD_SECONDS, LISTEN_SECONDS = 10.0, 0.1
WATCH_SECONDS = 45.0
LOOK_SECONDS = 1.0
STILL_LOOKS_MAX = 12  # nothing new for so long: the rest waits for its time
_MOVING = ("held", "released")


def demo() -> int:
    """The exit code."""
    view = View.of_this_process()
    try:
        asyncio.run(_demo(LocalSettings(), view))
    except KeyboardInterrupt:
        return 0
    except Unavailable as reason:
        view.say(str(reason), level="error")
        return 1
    except ValidationError as error:
        view.say(what_is_wrong(error), level="error")
        return 1
    return 0


async def _demo(settings: LocalSettings, view: View) -> None:
    ingress, simulator = _address(settings, "ingress"), _address(settings, "simulator")
    async with Api(f"{ingress}/api/v1", settings.api_key) as api, Api(simulator) as gateway:
        await make_demo_package(ingress, settings.api_key, view)
        await _talk(api, gateway, view)
        await _campaign(api, view)
    view.plain(f"All that arrived: {simulator}/ledger")


def _address(settings: LocalSettings, service: str) -> str:
    """Where the environment says, as for a system in containers; else where the system of this home listens."""
    said = os.environ.get(f"SPREADER_{service.upper()}_URL")
    if said:
        return said
    running = Home(settings.home.resolve()).running()
    if running is None or service not in running["addresses"]:
        raise Unavailable(
            f"No system runs in {settings.home.resolve()}: start one with `make up` and leave it running."
        )
    return running["addresses"][service]


async def _talk(api: Api, gateway: Api, view: View) -> None:
    """Customers write, and are answered from the very account that they wrote to."""
    view.plain(f"{CUSTOMERS} customers write, and each is answered:")
    for number in range(1, CUSTOMERS + 1):
        phone, profile = f"2012000000{number:02}", profile_id(number % PROFILES + 1)
        await gateway.post(f"/customers/{phone}/messages", {"profile": profile, "text": "Where is my order?"})
        await _heard(api, phone, profile)
        began = time.monotonic()
        answer = await api.post(
            f"/packages/{PACKAGE_ID}/messages/reply",
            {"type": "text", "text": "It arrives tomorrow.", "recipient": phone},
        )
        took = (time.monotonic() - began) * 1000
        used, status = answer.get("profile_used"), answer.get("status")
        view.plain(f"  wrote to {profile}; answered from {used}: {status} after {took:.0f} ms")


async def _heard(api: Api, phone: str, profile: str) -> None:
    """What the customer wrote has come round: from then on the conversation decides."""
    deadline = time.monotonic() + HEARD_SECONDS
    while time.monotonic() < deadline:
        known = await api.get(f"/packages/{PACKAGE_ID}/conversations/{phone}")
        if known is not None and known.get("profile_id") == profile:
            return
        await asyncio.sleep(LISTEN_SECONDS)


async def _campaign(api: Api, view: View) -> None:
    first = 20_130_000_000 + int(wall_now().timestamp()) % 9_000_000
    body: Mapping[str, Any] = {
        "type": "text",
        "text": "Hello! Our new collection is here. Answer STOP if you do not want to hear of it.",
        "recipients": [str(first + number) for number in range(RECIPIENTS)],
    }
    answer = await api.post(f"/packages/{PACKAGE_ID}/messages/open", body)
    view.plain(f"A campaign to {RECIPIENTS} people was taken as {answer['message_id']}:")
    view.plain(f"  shared out as {_shown(answer.get('distribution') or {})}")
    if answer.get("estimated_completion"):
        view.plain(f"  the last one goes about {answer['estimated_completion']}: no account is overused")
    await _watch(api, answer["message_id"], view)


async def _watch(api: Api, message_id: str, view: View) -> None:
    """Show the counts as they change, until nothing moves any more."""
    deadline = time.monotonic() + WATCH_SECONDS
    last: dict[str, int] = {}
    still = 0
    while time.monotonic() < deadline and still < STILL_LOOKS_MAX:
        status = await api.get(f"/messages/{message_id}") or {}
        counts = {name: count for name, count in status.get("counts", {}).items() if count}
        still = still + 1 if counts == last else 0
        if counts != last:
            view.plain(f"  {_shown(counts)}")
        last = counts
        if counts and not any(counts.get(name) for name in _MOVING):
            return
        await asyncio.sleep(LOOK_SECONDS)
    held = last.get("held", 0)
    if held:
        view.plain(f"  {held} are held until their accounts may send again")
        view.plain("  To watch a day in minutes: SPREADER_CLOCK_SPEED=600 make up")


def _shown(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{name} {count}" for name, count in counts.items())
