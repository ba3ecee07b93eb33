"""Releasable count: sets the gauge of the profiles whose next release is due and allowed now.

A pass plans the next look at a profile for the time from which all bounds allow its next release. So a profile whose
look is due waits for a pacer, and for nothing else. More pacers shorten this wait.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.waiting_queue import PREFIX
from pacer.metrics import RELEASABLE
from pacer.sql import maintenance as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.runtime.postgres import autocommit

EVERY_SECONDS = 5.0
COUNTED_MAX = 10_000
"""More profiles count as this many."""


@dataclass(frozen=True, slots=True)
class ReleasableCounter:
    """`stale_reason`: why nothing may be released now, because the configuration may be out of date. Then the gauge is
    0, because more pacers would release nothing either."""

    engine: AsyncEngine
    clock: Clock
    stale_reason: Callable[[], str | None]

    async def count(self) -> float:
        """Set the gauge; returns the wall seconds until the next count."""
        if self.stale_reason() is not None:
            RELEASABLE.set(0)
            return EVERY_SECONDS
        async with autocommit(self.engine) as connection:
            params = {"now": await system_now(connection, self.clock), "waiting": PREFIX, "profiles": COUNTED_MAX}
            RELEASABLE.set((await connection.execute(sql.RELEASABLE, params)).scalar_one())
        return EVERY_SECONDS
