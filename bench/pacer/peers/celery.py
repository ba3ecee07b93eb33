"""Celery: tasks with a due time (ETA) on Redis. With the argument `worker`, this process runs tasks. Without it, the
process schedules a task batch from stdin."""

import json
import sys
import time
from datetime import datetime
from importlib import import_module
from typing import Any

from bench.child import say_ready
from bench.pacer.peers.task_batch import TaskBatch
from bench.pacer.peers.task_log import log_delay

PROCESSES = 2


def build(url: str) -> Any:
    """The Celery app. The package is imported by its name as a text, because it is installed only for the bench."""
    app: Any = import_module("celery").Celery("bench", broker=url)
    app.conf.update(task_ignore_result=True, worker_send_task_events=False, worker_redirect_stdouts=False)
    app.task(name="note")(log_delay)
    return app


def work(url: str) -> None:
    app = build(url)
    ready: Any = import_module("celery.signals").worker_ready

    @ready.connect(weak=False)
    def on_ready(**_: Any) -> None:
        say_ready()

    app.Worker(pool="prefork", concurrency=PROCESSES, loglevel="ERROR", quiet=True).start()


def schedule(asked: TaskBatch) -> float:
    app = build(asked.url)
    task = app.tasks["note"]
    moments = [*([asked.far] * asked.held), *asked.due_ats]
    etas = [(moment, datetime.fromisoformat(moment)) for moment in moments]
    with app.producer_pool.acquire(block=True) as producer:
        task.apply_async((asked.file, moments[0]), eta=etas[0][1], producer=producer)  # warm: the connection
        began = time.perf_counter()
        for moment, eta in etas[1:]:
            task.apply_async((asked.file, moment), eta=eta, producer=producer)
        return time.perf_counter() - began


def main() -> None:
    if sys.argv[1:2] == ["worker"]:
        work(sys.argv[2])
    else:
        print(json.dumps(schedule(TaskBatch(**json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
