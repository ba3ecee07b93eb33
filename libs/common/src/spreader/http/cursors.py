"""Cursor: the opaque position at which the next page of a list begins."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from spreader.text.clean_text import find_unstorable

_VERSION = 1
_PAGE_PARAMETERS = ("limit", "cursor")


class InvalidCursor(ValueError):
    """The text is not a cursor of this API."""


class CursorOfAnotherList(InvalidCursor):
    """The text is a cursor, but another list returned it."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page of a list that a caller asks for."""

    path: str
    filters: str
    """The parameters that choose the rows, as a query string in the order of their names. Empty: no filter."""
    limit: int
    after: str | None
    """The id of the last row of the previous page. None: the first page is wanted."""

    @property
    def read_limit(self) -> int:
        """How many rows to read. It is one more than the page has, because an extra row shows that another page
        follows."""
        return self.limit + 1

    @property
    def list_name(self) -> str:
        """The name of the list. A cursor is valid only for the same path with the same filters."""
        return f"{self.path}?{self.filters}" if self.filters else self.path

    def next_cursor(self, ids: Sequence[str]) -> str | None:
        """The cursor of the next page. None: this is the last page. `ids` are those of all rows that were read."""
        return encode_cursor(self.list_name, ids[self.limit - 1]) if len(ids) > self.limit else None

    def next_url(self, cursor: str) -> str:
        """The path of the next page, with the same filters and the same limit."""
        return f"{self.path}?{'&'.join(filter(None, (self.filters, f'limit={self.limit}')))}&cursor={cursor}"

    @classmethod
    def of(cls, path: str, parameters: Iterable[tuple[str, str]], limit: int, cursor: str | None) -> "PageRequest":
        """The page that a request asks for. `parameters`: all those of its query. Raises InvalidCursor."""
        filters = urlencode(sorted((name, value) for name, value in parameters if name not in _PAGE_PARAMETERS))
        first = cls(path, filters, limit, None)
        return first if cursor is None else replace(first, after=decode_cursor(first.list_name, cursor))


def encode_cursor(list_name: str, last_id: str) -> str:
    content = json.dumps([_VERSION, _mark(list_name), last_id]).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def decode_cursor(list_name: str, cursor: str) -> str:
    """The id of the last row of the previous page. Raises InvalidCursor."""
    try:
        version, mark, last_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise InvalidCursor("it is not a cursor of this API") from error
    if version != _VERSION or mark != _mark(list_name) or not isinstance(last_id, str) or find_unstorable(last_id):
        raise CursorOfAnotherList(
            "it belongs to another list; use a cursor only with the path and the filters that returned it"
        )
    return last_id


def _mark(list_name: str) -> str:
    return hashlib.sha256(list_name.encode(errors="surrogatepass")).hexdigest()[:8]
