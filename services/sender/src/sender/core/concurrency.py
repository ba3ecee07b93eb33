"""Slots: how many deliveries a lane may send at a time, shared so that no gateway's host can take them all."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

SHARE = 4
"""A host may have so many calls under way for each slot that it leaves free: one slow host takes four fifths, two take
four ninths each. So there is always room for one that answers."""


@dataclass(frozen=True, slots=True)
class Room:
    """What may be claimed now: `free` in all, so many of a host that has calls under way, and of any other host."""

    free: int
    hosts: Mapping[str, int] = field(default_factory=dict[str, int])
    other: int | None = None
    """None: as many as are free."""


@dataclass
class Slots:
    limit: int
    _taken: Counter[str] = field(default_factory=Counter[str])

    def room(self) -> Room:
        free = max(0, self.limit - self._taken.total())
        return Room(free, {host: _more(taken, free) for host, taken in self._taken.items()}, _more(0, free))

    def take(self, host: str) -> None:
        self._taken[host] += 1

    def give_back(self, host: str) -> None:
        self._taken[host] -= 1
        if self._taken[host] <= 0:
            del self._taken[host]


def _more(taken: int, free: int) -> int:
    """The most that keeps `taken + more <= SHARE * (free - more)`; a host without any may always have one."""
    more = (SHARE * free - taken) // (SHARE + 1)
    return max(more, min(free, 1) if taken == 0 else 0)
