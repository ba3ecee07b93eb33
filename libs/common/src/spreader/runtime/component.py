"""Component: a part of a service that starts, stops, and reports whether it is ready and live."""

from typing import Protocol


class Component(Protocol):
    """A service starts its components in order, retrying while a server is unavailable, and stops them in reverse."""

    name: str

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def not_ready_reason(self) -> str | None:
        """Why the service cannot work now; None when it can. Decides `/health/ready`."""
        ...

    def is_live(self) -> bool:
        """False only when a restart of the process may help; never because another server is down."""
        ...
