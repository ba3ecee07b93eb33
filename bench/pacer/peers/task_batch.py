"""Asked: what a process that schedules a peer's tasks is told: how many far ahead, or at which moments."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from bench import child
from spreader.clock import wall_now

FAR = timedelta(hours=12)
SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Asked:
    url: str
    file: str
    held: int = 0
    due_ats: Sequence[str] = ()

    @property
    def far(self) -> str:
        return (wall_now() + FAR).isoformat()

    async def of(self, module: str) -> float:
        """Asked of a module in a process of its own; answers the seconds that scheduling took."""
        return await child.ask(module, asdict(self), SECONDS_MAX)
