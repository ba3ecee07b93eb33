"""Database clock: system time by the database's clock, so that clock skew between machines cannot break a limit."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.clock import Clock

WALL = text("SELECT clock_timestamp()")


async def system_now(connection: AsyncConnection, clock: Clock) -> datetime:
    return clock.at((await connection.execute(WALL)).scalar_one())
