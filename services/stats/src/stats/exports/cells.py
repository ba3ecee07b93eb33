"""Cells: the columns of an export with their types, and the text of a cell."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

ColumnType = Literal["text", "moment", "count", "share"]
Columns = Mapping[str, ColumnType]

FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""The characters that begin a formula in a spreadsheet."""


def escape_formula(text: str) -> str:
    """The text, with a leading apostrophe if a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(FORMULAS) else text


def plain(value: Any) -> Any:
    """The value as a cell of a text file."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return escape_formula(value) if isinstance(value, str) else value
