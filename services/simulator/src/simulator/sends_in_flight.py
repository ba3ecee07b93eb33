"""Sends in flight: how many sends of each package have reached the gateway and are not answered yet."""

import contextlib
from collections import Counter
from collections.abc import Generator

from simulator.metrics import SENDS_IN_FLIGHT


class SendsInFlight:
    """The current and the highest counts. Tests use them to check the limit of concurrent sends."""

    def __init__(self) -> None:
        self._now: Counter[str] = Counter()
        self._highest: Counter[str] = Counter()

    @contextlib.contextmanager
    def track(self, package_id: str) -> Generator[None]:
        self._now[package_id] += 1
        self._highest[package_id] = max(self._highest[package_id], self._now[package_id])
        SENDS_IN_FLIGHT.inc()
        try:
            yield
        finally:
            self._now[package_id] -= 1
            SENDS_IN_FLIGHT.dec()

    def now(self) -> int:
        return self._now.total()

    def highest(self) -> dict[str, int]:
        return dict(self._highest)

    def reset(self) -> None:
        """Forget the highest counts of the past. The new highest counts begin at the current counts."""
        self._highest = +self._now
