"""Cancellation: whether a CancelledError means that the running task shall end.

Libraries cancel their own tasks and futures, and the error may reach the code that called the library. If that code
took the error for a cancellation of its own task, it would end for good without a log line.
"""

import asyncio


def is_cancelled() -> bool:
    """Whether somebody has asked the running task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
