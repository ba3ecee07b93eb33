"""Group write: writes a group of rows, so that no row holds up the others."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def write_in_parts(
    group: Sequence[T],
    write: Callable[[Sequence[T]], Awaitable[None]],
    set_aside: Callable[[T, Exception], Awaitable[None]],
    is_transient: Callable[[BaseException], bool],
) -> None:
    """Write the group at once. After an error that will not pass, write its two halves, each in the same way, in order.

    A single row that fails so is given to `set_aside`. Raises the error if it may pass, or if `set_aside` raises it.
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
