"""Cursor: the place in a list where the next page begins, opaque to the caller."""

import base64
import binascii
import hashlib
import json

_VERSION = 1


class WrongCursor(ValueError):
    """Not a cursor of this list."""


def _mark(listing: str) -> str:
    return hashlib.sha256(listing.encode()).hexdigest()[:8]


def write_cursor(listing: str, last_id: str) -> str:
    """A cursor that is good for one listing (a path with its filters)."""
    return base64.urlsafe_b64encode(json.dumps([_VERSION, _mark(listing), last_id]).encode()).decode().rstrip("=")


def read_cursor(listing: str, cursor: str | None) -> str:
    """The id after which the page begins; empty for the first page."""
    if cursor is None:
        return ""
    try:
        version, mark, last_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise WrongCursor("it is not a cursor that this API gave") from error
    if version != _VERSION or mark != _mark(listing) or not isinstance(last_id, str) or "\0" in last_id:
        raise WrongCursor("it belongs to another list: use a cursor only with the address that gave it")
    return last_id
