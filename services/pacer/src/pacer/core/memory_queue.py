"""Line: the deliveries that wait for one profile, in the order in which the queue's index gives them."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from pacer.core.policy import Head

Part = tuple[int, bool]
"""Rank, and whether its contacts are cold: each part of the queue is in order by itself."""
Place = tuple[datetime, int, Head]


@dataclass
class Line:
    """The queue in memory, for a forecast or a simulation; Postgres keeps the real one."""

    _later: list[Place] = field(default_factory=list[Place], init=False)
    _due: dict[Part, list[Place]] = field(default_factory=dict[Part, list[Place]], init=False)
    _arrivals: Iterator[int] = field(default_factory=count, init=False)
    due: int = field(default=0, init=False)
    """How many may go by themselves."""

    def __len__(self) -> int:
        return self.due + len(self._later)

    def add(self, heads: Iterable[Head]) -> None:
        for head in heads:
            heapq.heappush(self._later, (head.not_before, next(self._arrivals), head))

    def advance(self, now: datetime) -> None:
        """Those whose own moment has come are due."""
        while self._later and self._later[0][0] <= now:
            place = heapq.heappop(self._later)
            heapq.heappush(self._due.setdefault(_part(place[2]), []), place)
            self.due += 1

    def heads(self) -> tuple[Head, ...]:
        """The first of each part, and of those that are due later."""
        firsts = [places[0][2] for places in self._due.values() if places]
        return (*firsts, self._later[0][2]) if self._later else tuple(firsts)

    def take(self, head: Head) -> None:
        """Remove the first of a part: it is released, or put off."""
        heapq.heappop(self._due[_part(head)])
        self.due -= 1

    def put_off(self, head: Head, until: datetime) -> None:
        self.take(head)
        self.add([replace(head, not_before=until)])


def _part(head: Head) -> Part:
    return head.rank, head.cold
