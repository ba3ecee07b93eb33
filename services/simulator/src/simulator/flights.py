"""Flight: a send that the gateway has and has not answered yet, counted for each package."""

import contextlib
from collections import Counter
from collections.abc import Generator

from simulator.metrics import SENDS_IN_FLIGHT


class Flights:
    """How many there are now, and how many there were at most, so that a limit on them can be tested from outside."""

    def __init__(self) -> None:
        self._now: Counter[str] = Counter()
        self._most: Counter[str] = Counter()

    @contextlib.contextmanager
    def one(self, package_id: str) -> Generator[None]:
        self._now[package_id] += 1
        self._most[package_id] = max(self._most[package_id], self._now[package_id])
        SENDS_IN_FLIGHT.inc()
        try:
            yield
        finally:
            self._now[package_id] -= 1
            SENDS_IN_FLIGHT.dec()

    def now(self) -> int:
        return self._now.total()

    def most(self) -> dict[str, int]:
        return dict(self._most)

    def reset(self) -> None:
        """Forget the past; what is under way now still counts."""
        self._most = +self._now
