"""Asker: the person on whose behalf a request came, as the caller names them. It decides nothing; it is kept."""

from collections.abc import Iterable
from contextvars import ContextVar
from urllib.parse import unquote

HEADER = "Spreader-Operator"
CHARACTERS_MAX = 100

_asker: ContextVar[str | None] = ContextVar("asker", default=None)


def asker() -> str | None:
    """Of the request that this task works on; None: it named nobody."""
    return _asker.get()


def hear(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Take the name from a request's headers: UTF-8, percent-encoded where it is not ASCII."""
    said = next((value for name, value in headers if name == HEADER.lower().encode()), b"")
    name = "".join(letter for letter in unquote(said.decode("latin-1")) if letter.isprintable()).strip()
    _asker.set(name[:CHARACTERS_MAX] or None)
