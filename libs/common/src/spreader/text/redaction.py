"""Redaction: removes phone numbers and secrets from a text before it is stored or logged."""

import re

CHARACTERS_MAX = 300
_DIGITS = re.compile(r"\+?\d{7,}")
_POSSIBLE_SECRET = re.compile(r"[A-Za-z0-9_\-+/=.]{24,}")


def redact(value: object) -> str:
    """The value as one line of at most 300 characters. Long tokens are removed; phone numbers keep two digits."""
    text = _POSSIBLE_SECRET.sub("…", " ".join(str(value).split()))
    return _DIGITS.sub(lambda match: f"…{match[0][-2:]}", text)[:CHARACTERS_MAX]
