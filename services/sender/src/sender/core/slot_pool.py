"""Slot pool: the slots of a lane. Each delivery that is being sent takes one, and no gateway host can take all of
them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

HOST_SHARE = 4
"""A host may use at most 4 slots for each slot that stays free. One slow host takes at most 4/5 of the pool, and two
take 4/9 each. So a responsive host always finds a free slot."""


@dataclass(frozen=True, slots=True)
class FreeSlots:
    """How many deliveries may be claimed now: in total, for each host that uses slots already, and for any other
    host."""

    total: int
    by_host: Mapping[str, int] = field(default_factory=dict[str, int])
    other_host: int | None = None
    """None: the same as `total`."""


NO_SLOTS = FreeSlots(0)


@dataclass
class SlotPool:
    """A claim takes a slot until its send has ended."""

    limit: int
    _taken: Counter[str] = field(default_factory=Counter[str])

    def free(self) -> FreeSlots:
        total = max(0, self.limit - self._taken.total())
        by_host = {host: _free_for_host(taken, total) for host, taken in self._taken.items()}
        return FreeSlots(total, by_host, _free_for_host(0, total))

    def take(self, host: str) -> None:
        self._taken[host] += 1

    def give_back(self, host: str) -> None:
        self._taken[host] -= 1
        if self._taken[host] <= 0:
            del self._taken[host]


def _free_for_host(taken: int, free: int) -> int:
    """How many more slots the host may take: the largest `more` with `taken + more <= HOST_SHARE * (free - more)`.

    A host that has no slot may always take one, if a slot is free.
    """
    more = (HOST_SHARE * free - taken) // (HOST_SHARE + 1)
    return max(more, min(free, 1) if taken == 0 else 0)
