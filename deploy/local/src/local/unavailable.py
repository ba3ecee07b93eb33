"""Unavailable: the error that something is missing on this machine. Its text says why, and what to do."""

import re


class Unavailable(Exception):
    """A program is missing, a port is in use, or a disk is full. The user sees the text without a stack trace."""


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LABELS = re.compile(r"\[ERROR\]|^error:", re.MULTILINE)


def shorten(output: str, characters: int = 160) -> str:
    """The start of a tool's output in one line, without colours, for use in an error message."""
    line = " ".join(_LABELS.sub("", _COLOURS.sub("", output)).split())
    return line if len(line) <= characters else f"{line[:characters]}…"
