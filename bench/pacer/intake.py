"""Intake: rows a second through the pacer's queue, compared with COPY of the same rows into the same table."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import asyncpg
import uvloop

from bench import child
from bench.pacer.process import OFFSETS, engine_of
from bench.pacer.workload import ALWAYS_DUE, WORKLOAD, batches
from pacer.core.schedule import ORDINARY
from pacer.intake.held_queue import HeldQueue
from pacer.intake.read_times import ReadTimes
from spreader.clock import Clock, wall_now
from spreader.contract.events import OpenDeliveriesAssigned
from spreader.kafka.guarded_consumer import Received

GRACE_SECONDS = 60.0
ROWS_A_SECOND_MIN = 1_000
COLUMNS = (
    "delivery_id",
    "message_id",
    "package_id",
    "profile_id",
    "recipient",
    "index",
    "attempt",
    "tried",
    "rank",
    "cold",
    "asked_at",
    "not_before",
    "timing",
    "expires_at",
    "state",
    "announced",
)

Batch = Sequence[Received[OpenDeliveriesAssigned]]


@dataclass(frozen=True, slots=True)
class Intake:
    """Stores `count` deliveries, beginning with number `first`, in the database at `url`. If `copy_url` is given, COPY
    stores the same rows there."""

    url: str
    first: int
    count: int
    copy_url: str | None = None

    async def run(self) -> dict[str, float]:
        """Starts a process that stores the deliveries. Returns the seconds that the pacer (`taken`) and COPY (`copied`)
        took."""
        return await child.ask("bench.pacer.intake", asdict(self), GRACE_SECONDS + 2 * self.count / ROWS_A_SECOND_MIN)


async def _run(asked: Intake) -> dict[str, float]:
    taken = copied = 0.0
    copier = await asyncpg.connect(asked.copy_url) if asked.copy_url else None
    try:
        async with engine_of(asked.url) as engine:
            queue = HeldQueue(engine, Clock(), ReadTimes(WORKLOAD.config(ALWAYS_DUE)))
            for batch in batches(WORKLOAD.records(asked.first, asked.count), offset=asked.first):
                began = time.perf_counter()
                await queue.hold(OFFSETS, batch)
                taken += time.perf_counter() - began
                if copier is not None:
                    copied += await _copy(copier, batch)
    finally:
        if copier is not None:
            await copier.close()
    return {"taken": taken, "copied": copied}


async def _copy(connection: asyncpg.Connection, batch: Batch) -> float:
    rows = [_row(each.event, place) for each in batch for place in range(len(each.event.deliveries))]
    began = time.perf_counter()
    await connection.copy_records_to_table("delivery", schema_name="pacer", columns=COLUMNS, records=rows)
    return time.perf_counter() - began


def _row(event: OpenDeliveriesAssigned, place: int) -> tuple[object, ...]:
    each, forever = event.deliveries[place], wall_now().replace(year=9999)
    return (
        each.delivery_id,
        event.message_id,
        event.package_id,
        each.profile_id,
        each.recipient,
        each.index,
        each.attempt,
        list(each.tried),
        ORDINARY,
        True,
        event.requested_at,
        event.requested_at,
        None,
        forever,
        "held",
        True,
    )


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(Intake(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
