"""Redaction: removes phone numbers and secrets from a text before it is stored or logged."""

import re
from collections.abc import Mapping
from typing import Any

CHARACTERS_MAX = 300
_DIGITS = re.compile(r"\+?\d{7,}")
_POSSIBLE_SECRET = re.compile(r"[A-Za-z0-9_\-+/=.]{24,}")


_PHONE_NUMBER = re.compile(r"(?<![0-9A-Za-z_.])\+?[0-9]{5,13}([0-9]{2})(?![0-9A-Za-z_])")
"""7 to 15 digits that are no part of an id or of a fraction of a second."""
_VALIDATED_INPUT = re.compile(r"input_value=.*?(?=, input_type=)", re.DOTALL)


def for_log(value: Any) -> Any:
    """The value without the middle digits of phone numbers, and without the inputs that pydantic puts into errors."""
    if isinstance(value, str):
        return _PHONE_NUMBER.sub(r"…\1", _VALIDATED_INPUT.sub("input_value=…", value))
    if isinstance(value, Mapping):
        return {for_log(name): for_log(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [for_log(each) for each in value]
    return value if value is None or isinstance(value, (int, float)) else for_log(repr(value))


def redact(value: object) -> str:
    """The value as one line of at most 300 characters. Long tokens are removed. Of a phone number the last two digits
    stay."""
    text = _POSSIBLE_SECRET.sub("…", " ".join(str(value).split()))
    return _DIGITS.sub(lambda match: f"…{match[0][-2:]}", text)[:CHARACTERS_MAX]
