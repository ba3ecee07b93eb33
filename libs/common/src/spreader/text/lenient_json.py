"""Lenient JSON: reads JSON in which some texts cannot be stored, and finds the first of these texts."""

import json
import re
from typing import Any

from pydantic_core import from_json, to_json

from spreader.text.clean_text import UnstorableText, find_unstorable, replace_unstorable

_MAY_BE_UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""The escape sequences of U+0000 and of surrogates. A match may be harmless, because a pair of surrogates is one whole
character."""
_MAY_BE_UNCLEAN = re.compile(
    rb"\\u(?:00[01][0-9a-fA-F]|007[fF]|00[89][0-9a-fA-F]|[dD][89a-fA-F])|\\[bf]|\x7f|\xc2[\x80-\x9f]"
)
"""The same escape sequences, and all control characters, whether they are escaped or not."""


def parse(body: bytes, depth_max: int | None = None) -> Any:
    """The value of a JSON text, with U+FFFD in place of U+0000, of lone surrogates, and of bytes that are not UTF-8.

    Control characters that are not escaped are allowed in texts. `depth_max`: used only if the body cannot be read as
    it is, for example because it is nested too deeply. Then each list and each object below this depth becomes null.
    Raises ValueError if the body is not JSON even then.
    """
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        return from_json(_repaired(body, error, depth_max))
    return replace_unstorable(value) if _MAY_BE_UNSTORABLE.search(body) else value


def unstorable_text(body: bytes, controls: bool = False) -> UnstorableText | None:
    """The first text or member name in a JSON text that cannot be stored. None: all can be stored.

    `controls`: as in `find_unstorable`. Raises ValueError if the body is not JSON.
    """
    if (_MAY_BE_UNCLEAN if controls else _MAY_BE_UNSTORABLE).search(body) is None:
        return None
    try:
        return find_unstorable(json.loads(body.decode(), parse_constant=_refuse_constant), controls=controls)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _repaired(body: bytes, error: ValueError, depth_max: int | None) -> bytes:
    """The body as strict JSON, with U+FFFD for what cannot be stored. Raises `error` if even lenient reading fails."""
    try:
        value = json.loads(body.decode(errors="replace"), strict=False, parse_constant=_refuse_constant)
        return to_json(replace_unstorable(value if depth_max is None else _pruned(value, depth_max)))
    except (ValueError, RecursionError):
        raise error from None


def _pruned(value: Any, depth_max: int) -> Any:
    if isinstance(value, (list, dict)) and depth_max <= 0:
        return None
    if isinstance(value, list):
        return [_pruned(item, depth_max - 1) for item in value]
    if isinstance(value, dict):
        return {name: _pruned(member, depth_max - 1) for name, member in value.items()}
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
