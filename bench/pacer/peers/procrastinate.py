"""Procrastinate: jobs with `schedule_at` on Postgres. With the argument `worker`, this process runs jobs. Without it,
the process schedules a task batch from stdin."""

import asyncio
import json
import sys
import time
from datetime import datetime
from importlib import import_module
from typing import Any

from bench.child import say_ready
from bench.pacer.peers.task_batch import TaskBatch
from bench.pacer.peers.task_log import log_delay

CONCURRENCY = 20
ROWS_A_BATCH = 1_000


def build(url: str) -> Any:
    """The Procrastinate app. The package is imported by its name as a text, because it is installed only for the
    bench."""
    procrastinate: Any = import_module("procrastinate")
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    async def noting(file: str, due_at: str) -> None:
        log_delay(file, due_at)

    app.task(name="note")(noting)
    return app


async def work(url: str, poll_seconds: float) -> None:
    app = build(url)
    async with app.open_async():
        say_ready()
        await app.run_worker_async(concurrency=CONCURRENCY, fetch_job_polling_interval=poll_seconds)


async def schedule(asked: TaskBatch) -> float:
    """Schedule the tasks. Tasks that are due far ahead are scheduled in batches, all for the same time. Tasks that are
    due soon are scheduled one by one."""
    app = build(asked.url)
    task = app.tasks["note"]
    async with app.open_async():
        began, far = time.perf_counter(), asked.far
        for first in range(0, asked.held, ROWS_A_BATCH):
            count = min(ROWS_A_BATCH, asked.held - first)
            rows = [{"file": asked.file, "due_at": far} for _ in range(count)]
            await task.configure(schedule_at=datetime.fromisoformat(far)).batch_defer_async(*rows)
        for moment in asked.due_ats:
            deferrer = task.configure(schedule_at=datetime.fromisoformat(moment))
            await deferrer.defer_async(file=asked.file, due_at=moment)
        return time.perf_counter() - began


async def prepare(url: str) -> None:
    app = build(url)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        asyncio.run(work(sys.argv[2], float(sys.argv[3])))
    else:
        print(json.dumps(asyncio.run(schedule(TaskBatch(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
