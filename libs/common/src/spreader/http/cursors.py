"""Cursor: the opaque position at which the next page of a list begins."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from spreader.text.clean_text import find_unstorable

_VERSION = 1


class InvalidCursor(ValueError):
    """The text is not a cursor of this API."""


class CursorOfAnotherList(InvalidCursor):
    """It is a cursor, but another list returned it."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page of a list that a caller asks for."""

    path: str
    """Identifies the list: a cursor is valid for one path."""
    limit: int
    after: str | None
    """The id of the last row of the previous page; None for the first page."""

    @property
    def read_limit(self) -> int:
        """How many rows to read: one more than the page has, which shows whether another page follows."""
        return self.limit + 1

    def next_cursor(self, ids: Sequence[str]) -> str | None:
        """The cursor of the page after these rows, which were read with `read_limit`; None on the last page."""
        return encode_cursor(self.path, ids[self.limit - 1]) if len(ids) > self.limit else None


def encode_cursor(path: str, last_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([_VERSION, _mark(path), last_id]).encode()).decode().rstrip("=")


def decode_cursor(path: str, cursor: str) -> str:
    """The id of the last row of the previous page; raises InvalidCursor."""
    try:
        version, mark, last_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise InvalidCursor("it is not a cursor of this API") from error
    if version != _VERSION or mark != _mark(path) or not isinstance(last_id, str) or find_unstorable(last_id):
        raise CursorOfAnotherList("it belongs to another list; use a cursor only at the path that returned it")
    return last_id


def _mark(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:8]
