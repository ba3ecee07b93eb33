"""Moment: the system's time by the database's clock, so that no skew between machines can break a limit."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.sql import queue as sql
from spreader.clock import Clock


async def system_now(connection: AsyncConnection, clock: Clock) -> datetime:
    return clock.at((await connection.execute(sql.WALL)).scalar_one())
