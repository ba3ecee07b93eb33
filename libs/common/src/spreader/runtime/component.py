"""Component: a part of a service that starts, stops, and reports whether it is ready and live."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


class Component(Protocol):
    """A service starts its components in order and stops them in reverse order. While a server is unavailable, the
    start is tried again."""

    name: str

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def not_ready_reason(self) -> str | None:
        """Why the service cannot work now, as `/health/ready` shows it. None: it can work."""
        ...

    def is_live(self) -> bool:
        """False only when a restart of the process may help. The outage of another server does not make it False."""
        ...


@runtime_checkable
class FailureReporter(Protocol):
    """A component whose work can keep failing while the service is ready for other work."""

    def failing(self) -> Mapping[str, str]:
        """The name and the last error of each piece of work that keeps failing. `/health/ready` and a metric show
        them."""
        ...
