"""Unavailable: why something cannot be had on this machine, in one sentence that says what to do."""

import re


class Unavailable(Exception):
    """Shown to the user as it is: no stack trace helps with a missing program, a port in use or a full disk."""


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LABELS = re.compile(r"\[ERROR\]|^error:", re.MULTILINE)


def in_short(said: str, characters: int = 160) -> str:
    """What a tool has said, as a part of our one sentence: on one line, without colours, and not all of it."""
    words = " ".join(_LABELS.sub("", _COLOURS.sub("", said)).split())
    return words if len(words) <= characters else f"{words[:characters]}…"
