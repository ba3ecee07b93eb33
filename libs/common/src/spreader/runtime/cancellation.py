"""Cancellation: whether a CancelledError means that the running task shall end.

Libraries cancel their own tasks and futures and let the error out. Code that takes such an error for a cancellation of
its own task ends for good, and no log line says so.
"""

import asyncio


def is_cancelled() -> bool:
    """Whether somebody has asked the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
