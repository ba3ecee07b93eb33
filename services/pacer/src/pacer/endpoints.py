"""Endpoints: the pacer's own small HTTP API: what would become of these deliveries?"""

import asyncio
from datetime import datetime

from fastapi import FastAPI
from pydantic import BaseModel, NonNegativeInt
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer import postgres as sql
from pacer.core.forecast import completion
from pacer.core.waiting import turn
from pacer.directory import Directory
from pacer.queue import system_now
from spreader.clock import Clock
from spreader.events import OpenOptions
from spreader.ids import Id


class Ask(BaseModel):
    """How many deliveries each profile would get, and when they may go."""

    package_id: Id
    deliveries: dict[Id, NonNegativeInt]
    options: OpenOptions = OpenOptions()


class Forecast(BaseModel):
    completion: datetime | None
    """None: something is stopped (a paused profile), so the end cannot be told."""


def add_endpoints(app: FastAPI, engine: AsyncEngine, directory: Directory, clock: Clock) -> None:
    @app.post("/forecast")
    async def forecast(ask: Ask) -> Forecast:
        profiles = sorted(profile for profile, count in ask.deliveries.items() if count)
        async with engine.connect() as connection:
            now = await system_now(connection, clock)
            asked = {"profile_ids": profiles, "now": now}
            past: dict[str, list[datetime]] = {profile: [] for profile in profiles}
            for row in await connection.execute(sql.PAST_RELEASES, asked):
                past[row.profile_id].append(row.at)
            ahead = {row.profile_id: row.deliveries for row in await connection.execute(sql.QUEUE_LENGTHS, asked)}
        ends = [
            await asyncio.to_thread(
                completion,
                rules,
                past[profile],
                _not_befores(ask, number, len(profiles), now),
                ahead.get(profile, 0),
                now,
            )
            for number, profile in enumerate(profiles)
            if (rules := directory.rules(profile)) is not None
        ]
        known = [end for end in ends if end is not None]
        return Forecast(completion=max(known) if known and len(known) == len(ends) else None)


def _not_befores(ask: Ask, number: int, profiles: int, now: datetime) -> list[datetime]:
    """The moments from which a profile's deliveries may go: it gets every so-many-th of the message."""
    count = ask.deliveries[sorted(profile for profile, count in ask.deliveries.items() if count)[number]]
    return [turn(ask.options, now, number + place * profiles).not_before for place in range(count)]
