"""Testing: fakes of the common ports, for the tests of every service; no production module imports this one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.boundary import Received
from spreader.bus import Unpublished
from spreader.envelope import seal
from spreader.events import Event

E = TypeVar("E", bound=Event)


@dataclass
class MemoryBus:
    """A bus that keeps what was published; `away` makes it refuse, as a broker that is down does."""

    now: datetime
    published: list[Event] = field(default_factory=list)
    away: bool = False

    async def publish(self, *events: Event) -> None:
        if self.away:
            raise Unpublished("the bus is away")
        for event in events:
            seal(event, "test", self.now)
        self.published.extend(events)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.published if isinstance(event, kind)]


@dataclass
class HandClock:
    """A clock that stands still until a test moves it."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, duration: timedelta) -> None:
        self.moment += duration


class AllNew:
    """Positions of a reader that has read nothing: whoever passes a batch twice gets it twice."""

    async def fresh(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        return list(batch)


@dataclass
class HandProgress:
    """Reads `behind` times that something is still unread, then that all is."""

    behind: int = 0
    asked: int = 0

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 1)

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        self.asked += 1
        return self.asked > self.behind
