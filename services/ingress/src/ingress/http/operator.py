"""Operator: the person on whose behalf a caller sends a request. The name is stored and never checked."""

from collections.abc import Iterable
from contextvars import ContextVar
from urllib.parse import unquote

from spreader.contract.labels import SentBy

HEADER = "Spreader-Operator"
CHARACTERS_MAX = 100
ENVIRONMENT_KEY = "environment"
"""The id of the API key in the setting `SPREADER_API_KEY`."""

_operator: ContextVar[str | None] = ContextVar("operator", default=None)


def current_operator() -> str | None:
    """The operator of the request that this task handles. None if the request names no operator."""
    return _operator.get()


def current_sender() -> SentBy:
    """Who sends the message of the request that this task handles. There is only one key, that of the environment."""
    return SentBy.model_construct(key_id=ENVIRONMENT_KEY, operator=current_operator())


def remember(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Read the operator from a request's headers, for `current_operator`.

    In the header, characters other than ASCII are UTF-8 in percent-encoding. The name is cut to `CHARACTERS_MAX`.
    """
    value = next((value for name, value in headers if name == HEADER.lower().encode()), b"")
    name = "".join(letter for letter in unquote(value.decode("latin-1")) if letter.isprintable()).strip()
    _operator.set(name[:CHARACTERS_MAX] or None)
