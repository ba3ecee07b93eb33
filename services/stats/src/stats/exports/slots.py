"""Slots: how many exports of an instance may run, and how many of these may read or write at the same moment."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from spreader.http.problems import Problem
from stats.api.problems import TOO_MANY_EXPORTS
from stats.metrics import EXPORTS, RUNNING_EXPORTS

RETRY_AFTER_SECONDS = 30


class ExportSlots:
    """An export has a slot from its first to its last byte, however slowly its client reads. The export holds `turn`
    only while it reads a page from the database, or writes the page to the file. So at most `connections` exports do
    this at the same moment."""

    def __init__(self, exports_max: int, connections: int) -> None:
        self._max = exports_max
        self._running = 0
        self.turn = asyncio.Semaphore(connections)

    @contextmanager
    def take(self) -> Generator[None]:
        """Hold a slot. Raises the problem `too-many-exports` if none is free."""
        if self._running >= self._max:
            EXPORTS.labels("refused").inc()
            raise Problem(
                TOO_MANY_EXPORTS,
                f"This instance already writes {self._max} exports. Request this one again after `Retry-After`.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        self._running += 1
        RUNNING_EXPORTS.inc()
        result = "failed"
        try:
            yield
            result = "complete"
        except (asyncio.CancelledError, GeneratorExit):
            result = "abandoned"
            raise
        finally:
            self._running -= 1
            RUNNING_EXPORTS.dec()
            EXPORTS.labels(result).inc()
