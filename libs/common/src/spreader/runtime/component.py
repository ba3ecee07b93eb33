"""Part: what a service is made of: a thing that starts, stops, and says what troubles it."""

from typing import Protocol


class Component(Protocol):
    """A service starts its parts in order (trying again while a server is away) and stops them in reverse."""

    name: str

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def not_ready_reason(self) -> str | None:
        """Why the service cannot do its work now; None when it can. For readiness."""
        ...

    def is_live(self) -> bool:
        """Whether a restart of the process could not help. For liveness: never about another server."""
        ...
