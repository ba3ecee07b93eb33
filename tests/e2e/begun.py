"""Begun: campaigns that take days of the system's clock. They begin with it, and their tests look when all arrived.

Meanwhile other tests run: a test that only waits would hold them all up.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from e2e.refusals import refused
from e2e.running import Answer, Running, recipients


async def thousand(system: Running) -> Answer:
    """A thousand recipients over four profiles by the default limits."""
    await system.package("thousand", 4, timezone="Africa/Cairo", rest_window={"start": "01:00", "hours": 4})
    body = {"type": "text", "text": "Hello", "recipients": recipients(1_000)}
    return await system.ask("POST", "/packages/thousand/messages/open", body)


BEGUN: Mapping[str, Mapping[str, Callable[[Running], Awaitable[Any]]]] = {
    "live": {"refused": refused},
    "fast": {"thousand": thousand},
}
"""By system and name: the name is that of the fixture that has it."""
