"""Long answer: a JSON object with a long list, which is written in pieces, so that others have their turns between."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

AT_ONCE = 50
"""How many rows of the list are written at a time."""


async def in_pieces(body: Mapping[str, Any], rows: str) -> bytes:
    """The JSON of `body`. `rows` names the member with the long list, which comes last."""
    pieces: list[bytes] = []
    for start in range(0, len(body[rows]), AT_ONCE):
        pieces.append(to_json(body[rows][start : start + AT_ONCE])[1:-1])
        await asyncio.sleep(0)
    others = to_json({name: value for name, value in body.items() if name != rows})[:-1]
    comma = b"," if len(body) > 1 else b""
    return others + comma + to_json(rows) + b":[" + b",".join(pieces) + b"]}"
