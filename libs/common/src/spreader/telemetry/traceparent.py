"""Traceparent: a place in a trace, as W3C writes it down in one line."""

import re

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KNOWN_FLAGS = 0b11  # sampled, and random


def valid_traceparent(text: str) -> str | None:
    """The line in the form of version 00, which later versions begin with; None where it is none.

    W3C has a bad one ignored: what it came with is then the first of its trace.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "00" and more is not None:
        return None
    return f"00-{trace_id}-{span_id}-{int(flags, 16) & _KNOWN_FLAGS:02x}"
