"""Group write: writes a group of rows, so that a row that cannot be written does not hold up the others."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def write_in_parts(
    group: Sequence[T],
    write: Callable[[Sequence[T]], Awaitable[None]],
    set_aside: Callable[[T, Exception], Awaitable[None]],
    is_transient: Callable[[BaseException], bool],
) -> None:
    """Write the group at once. After an error that will not pass, write its two halves, one after the other.

    Each half is written in the same way, down to single rows. A single row that fails with such an error is given to
    `set_aside`. An error that may pass is raised, and so is an error of `set_aside`.
    """
    try:
        await write(group)
    except Exception as error:
        if is_transient(error):
            raise
        if len(group) == 1:
            await set_aside(group[0], error)
            return
    else:
        return
    middle = len(group) // 2
    for half in (group[:middle], group[middle:]):
        await write_in_parts(half, write, set_aside, is_transient)
