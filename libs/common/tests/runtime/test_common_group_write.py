"""Group write: only the rows that fail by themselves are set aside, and the others are written once, in order."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.runtime.group_write import write_in_parts


@given(st.lists(st.booleans(), min_size=1, max_size=40))
async def test_only_bad_rows_are_set_aside(bad: list[bool]) -> None:
    written, aside = list[int](), list[int]()

    async def write(part: Sequence[int]) -> None:
        if any(bad[number] for number in part):
            raise ValueError("a bad row")
        written.extend(part)

    async def set_aside(number: int, error: Exception) -> None:
        aside.append(number)

    await write_in_parts(range(len(bad)), write, set_aside, lambda error: False)
    assert aside == [number for number, is_bad in enumerate(bad) if is_bad]
    assert written == [number for number, is_bad in enumerate(bad) if not is_bad]


async def test_an_error_that_may_pass_is_raised_and_sets_nothing_aside() -> None:
    async def write(part: Sequence[int]) -> None:
        raise OSError("the server is away")

    async def set_aside(number: int, error: Exception) -> None:
        pytest.fail("it may pass")

    with pytest.raises(OSError, match="away"):
        await write_in_parts([1, 2], write, set_aside, lambda error: isinstance(error, OSError))
