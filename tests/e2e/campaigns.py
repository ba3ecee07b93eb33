"""Campaigns: sends that take long. They start before the test that checks them, and other tests run meanwhile."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from e2e.failure_cases import start_failure_cases
from e2e.system import Response, RunningSystem, recipients


async def send_thousand(system: RunningSystem) -> Response:
    """Send to 1,000 recipients over four profiles with default limits and gaps so short that the limits bind."""
    rest, gap = {"start": "01:00", "hours": 4}, {"min_seconds": 1, "max_seconds": 2}
    await system.create_package("thousand", 4, timezone="Africa/Cairo", rest_window=rest, gap=gap)
    body = {"type": "text", "text": "Hello", "recipients": recipients(1_000)}
    return await system.ask("POST", "/packages/thousand/messages/open", body)


CAMPAIGNS: Mapping[str, Callable[[RunningSystem], Coroutine[Any, Any, Any]]] = {
    "failure_cases": start_failure_cases,
    "thousand": send_thousand,
}
"""The function that starts each campaign, by the name of the fixture that returns its result."""
STARTED_WITH_SYSTEM: Mapping[str, str] = {"live": "failure_cases", "fast": "thousand"}
"""The campaign that starts together with a system, if a test of the run uses it."""
