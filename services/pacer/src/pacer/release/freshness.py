"""Freshness: how long ago Kafka last answered the fetches of the configuration and state tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class FollowedTable(Protocol):
    name: str

    @property
    def silent_seconds(self) -> float: ...


@dataclass(slots=True)
class Freshness:
    """A component that is not ready while Kafka is silent. Then the pacer releases nothing, because a package may have
    been paused or a lane closed, and the pacer would not know."""

    tables: Sequence[FollowedTable]
    silence_seconds_max: float
    name: str = "news of packages and profiles"

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def not_ready_reason(self) -> str | None:
        for table in self.tables:
            if (silent := table.silent_seconds) > self.silence_seconds_max:
                return f"releases are stopped: Kafka has not answered the {table.name} for {silent:.0f} s"
        return None

    def is_live(self) -> bool:
        return True
