"""Traceparent: the W3C Trace Context header that names a span (https://www.w3.org/TR/trace-context/)."""

import re

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KNOWN_FLAGS = 0b11  # sampled, and random


def valid_traceparent(text: str) -> str | None:
    """The header in the form of version 00. None: the header is not valid.

    The header of a later version begins with this form, so only its beginning is used. If the header is invalid, the
    receiver starts a new trace (a rule of W3C).
    """
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "00" and more is not None:
        return None
    return f"00-{trace_id}-{span_id}-{int(flags, 16) & _KNOWN_FLAGS:02x}"
