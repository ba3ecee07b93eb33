"""Memory queue: the deliveries that wait for one profile, in the order of the queue's index in Postgres."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from pacer.core.policy import HeldDelivery

_Part = tuple[int, bool]
"""A part of the queue: its rank, and whether its contacts are cold. Each part has its own order."""
_Entry = tuple[datetime, int, HeldDelivery]
"""The delivery's `not_before`, its arrival number, and the delivery itself."""


@dataclass
class MemoryQueue:
    """The queue of a forecast or a simulation. Real deliveries wait in Postgres."""

    _later: list[_Entry] = field(default_factory=list[_Entry], init=False)
    _due: dict[_Part, list[_Entry]] = field(default_factory=dict[_Part, list[_Entry]], init=False)
    _arrivals: Iterator[int] = field(default_factory=count, init=False)
    due: int = field(default=0, init=False)
    """The number of deliveries whose `not_before` has passed."""

    def __len__(self) -> int:
        return self.due + len(self._later)

    def add(self, deliveries: Iterable[HeldDelivery]) -> None:
        for delivery in deliveries:
            heapq.heappush(self._later, (delivery.not_before, next(self._arrivals), delivery))

    def advance(self, now: datetime) -> None:
        """Mark as due every delivery whose `not_before` has passed."""
        while self._later and self._later[0][0] <= now:
            entry = heapq.heappop(self._later)
            heapq.heappush(self._due.setdefault(_part(entry[2]), []), entry)
            self.due += 1

    def heads(self) -> tuple[HeldDelivery, ...]:
        """The first due delivery of each part, and the first of the deliveries that are not due yet."""
        firsts = [entries[0][2] for entries in self._due.values() if entries]
        return (*firsts, self._later[0][2]) if self._later else tuple(firsts)

    def take(self, head: HeldDelivery) -> None:
        """Remove the first delivery of a part."""
        heapq.heappop(self._due[_part(head)])
        self.due -= 1

    def park(self, head: HeldDelivery, until: datetime) -> None:
        """Move the first delivery of a part out of the way. This delivery is due again at `until`."""
        self.take(head)
        self.add([replace(head, not_before=until)])


def _part(delivery: HeldDelivery) -> _Part:
    return delivery.rank, delivery.cold
