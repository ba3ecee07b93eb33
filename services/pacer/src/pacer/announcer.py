"""Announcer: tells the others what became of deliveries, as long as it takes until Kafka has it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer import postgres as sql
from pacer.core.news import Changed, news
from pacer.moment import system_now
from spreader.bus import Bus
from spreader.clock import Clock

NEWS_ROWS_MAX = 500
IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class Announcer:
    """A delivery whose state has not been told is a row with `announced = false`: a crash leaves it to be found.

    It is marked after Kafka has it, so a crash in between tells it twice; the event's id is the same, readers drop it.
    """

    engine: AsyncEngine
    bus: Bus
    clock: Clock

    async def turn(self) -> float:
        async with self.engine.begin() as connection:
            rows = (await connection.execute(sql.NEWS, {"rows": NEWS_ROWS_MAX})).mappings().all()
            if not rows:
                return IDLE_SECONDS
            now = await system_now(connection, self.clock)
            changed = [_changed(row) for row in rows]
            await self.bus.publish(*(news(each, now) for each in changed))
            await connection.execute(sql.TOLD, {"delivery_ids": [each.delivery_id for each in changed]})
        return 0


def _changed(row: RowMapping) -> Changed:
    values: dict[str, Any] = {**row, "tried": tuple(row["tried"])}
    return Changed(**values)
