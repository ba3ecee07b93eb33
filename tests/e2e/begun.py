"""Begun: what takes long begins before its test, which looks when all has arrived.

Meanwhile other tests run: a test that only waits would hold them all up.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from e2e.refusals import refused
from e2e.running import Answer, Running, recipients


async def thousand(system: Running) -> Answer:
    """A thousand recipients over four profiles by the default limits, and so quickly that each of them binds."""
    rest, gap = {"start": "01:00", "hours": 4}, {"min_seconds": 1, "max_seconds": 2}
    await system.package("thousand", 4, timezone="Africa/Cairo", rest_window=rest, gap=gap)
    body = {"type": "text", "text": "Hello", "recipients": recipients(1_000)}
    return await system.ask("POST", "/packages/thousand/messages/open", body)


BEGUN: Mapping[str, Callable[[Running], Awaitable[Any]]] = {"refused": refused, "thousand": thousand}
"""By the name of the fixture that has it."""
FIRST: Mapping[str, str] = {"live": "refused"}
"""What begins with a system, where any test wants it; the rest begins with the first test that names it."""
