"""Begun: campaigns that take days of the system's clock. They begin with it, and their tests look when all arrived.

Meanwhile other tests run: a test that only waits would hold them all up.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from e2e.refusals import refused
from e2e.running import Answer, Running, recipients


@dataclass(frozen=True)
class Foreseen:
    people: list[str]
    preview: Answer
    answer: Answer


async def thousand(system: Running) -> Answer:
    """A thousand recipients over four profiles by the default limits."""
    await system.package("thousand", 4, timezone="Africa/Cairo", rest_window={"start": "01:00", "hours": 4})
    body = {"type": "text", "text": "Hello", "recipients": recipients(1_000)}
    return await system.ask("POST", "/packages/thousand/messages/open", body)


async def foreseen(system: Running) -> Foreseen:
    """Five hundred recipients over four profiles, foreseen and sent."""
    await system.package("foreseen", 4, timezone="Africa/Cairo")
    people = recipients(500, start=800_000)
    body = {"type": "text", "text": "Hello", "recipients": people}
    preview = await system.ask("POST", "/packages/foreseen/messages/preview", body)
    return Foreseen(people, preview, await system.ask("POST", "/packages/foreseen/messages/open", body))


BEGUN: Mapping[str, Mapping[str, Callable[[Running], Awaitable[Any]]]] = {
    "live": {"refused": refused},
    "fast": {"thousand": thousand, "foreseen": foreseen},
}
"""By system and name: the name is that of the fixture that has it."""
