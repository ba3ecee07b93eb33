"""Restart: how long a new process takes until its first release is told, with everything in a cold Postgres."""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime

import uvloop

from bench import child
from bench.pacer.held import AT_WALL_SPEED
from bench.pacer.running import engine_of, running
from spreader.clock import wall_now
from spreader.events import DeliveryReleased
from spreader.postgres import migrate

SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Restart:
    url: str

    async def run(self) -> tuple[float, float]:
        """Seconds from before the process was there: until all was imported; until the first release was told."""
        began = wall_now()
        moments = await child.ask("bench.pacer.restart", asdict(self), SECONDS_MAX)
        imported, told = ((datetime.fromisoformat(each) - began).total_seconds() for each in moments)
        return imported, told


async def _run(asked: Restart) -> tuple[str, str]:
    imported_at = wall_now()
    told: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()

    def on_told(_: DeliveryReleased) -> None:
        if not told.done():
            told.set_result(wall_now())

    async with engine_of(asked.url) as engine:
        await migrate(engine, "pacer")
        async with running(engine, AT_WALL_SPEED, lambda looks, now: None, on_told):
            return imported_at.isoformat(), (await told).isoformat()


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(Restart(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
