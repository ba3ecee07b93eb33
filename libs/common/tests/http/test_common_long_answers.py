"""Long answer: it is the same JSON as in one piece, and others have their turns while it is written."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from spreader.http.long_answers import AT_ONCE, in_pieces

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("length", [0, 1, AT_ONCE, 3 * AT_ONCE + 1])
@pytest.mark.parametrize("others", [{}, {"at": NOON, "held": 5, "day": None}])
async def test_the_pieces_together_are_the_whole_answer(length: int, others: dict[str, Any]) -> None:
    rows = [
        {"profile_id": f"p{number}", "why": 'a "quoted" reason]', "bounds": {"gap": None}} for number in range(length)
    ]
    found = json.loads(await in_pieces({**others, "profiles": rows}, "profiles"))
    assert found == {**others, **({"at": "2026-03-01T12:00:00Z"} if others else {}), "profiles": rows}


async def test_others_have_a_turn_after_each_piece() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await in_pieces({"profiles": [{"profile_id": "p"}] * 20 * AT_ONCE}, "profiles")
    counting.cancel()
    assert turns >= 19
