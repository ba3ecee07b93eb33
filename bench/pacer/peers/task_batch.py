"""Task batch: the tasks that a process schedules with a peer. These are `held` tasks that are due in 12 hours, or one
task for each time in `due_ats`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from bench import child
from spreader.clock import wall_now

FAR = timedelta(hours=12)
SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class TaskBatch:
    url: str
    file: str
    held: int = 0
    due_ats: Sequence[str] = ()

    @property
    def far(self) -> str:
        return (wall_now() + FAR).isoformat()

    async def of(self, module: str) -> float:
        """Starts a process that schedules the tasks with a peer's module. Returns the seconds that this took."""
        return await child.ask(module, asdict(self), SECONDS_MAX)
