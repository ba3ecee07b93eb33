"""Clean text: text from outside in which every character can be stored and sent.

Postgres stores no U+0000, and UTF-8 has no form for a lone surrogate. A lone surrogate is half of a character such as
an emoji. JavaScript's `slice` may leave such a half. A single U+0000 or lone surrogate in a group of rows would make
the whole group fail.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString, NewType

ID_CHARACTERS_MAX = 256
REPLACEMENT = "\ufffd"

CleanText = NewType("CleanText", str)
"""A text without lone surrogates, and without control characters other than line breaks and tabs. Only `clean` and
`clean_id` make such texts. The classes for a gateway's texts accept no plain `str`, so no driver can forget to clean a
text."""
SafeText = CleanText | LiteralString
"""A cleaned text, or a text of our own source code."""

_UNCLEAN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_UNCLEAN_IN_ID = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def clean(text: str) -> CleanText:
    """The text with U+FFFD in place of each control character and each lone surrogate. Line breaks and tabs stay."""
    return CleanText(_UNCLEAN.sub(REPLACEMENT, text))


def clean_id(text: str) -> CleanText:
    """At most 256 characters of an id from outside, with U+FFFD in place of each control character and surrogate."""
    return CleanText(_UNCLEAN_IN_ID.sub(REPLACEMENT, text[:ID_CHARACTERS_MAX]))


@dataclass(frozen=True, slots=True)
class UnstorableText:
    """A text in a JSON value with a character that cannot be stored or sent, and the first such character."""

    pointer: str
    """The JSON pointer of the field."""
    character: str

    @property
    def code(self) -> str:
        if self.character == "\0":
            return "nul"
        return "surrogate" if self.character >= "\ud800" else "control"

    @property
    def detail(self) -> str:
        if self.character == "\0":
            return "the character U+0000 cannot be stored or sent"
        if self.code == "control":
            return f"the control character U+{ord(self.character):04X} cannot be sent"
        return f"half a character (the lone surrogate U+{ord(self.character):04X}) cannot be stored or sent"

    def __str__(self) -> str:
        return f"{self.pointer}: {self.detail}"


def pointer_step(name: object) -> str:
    """The name of a member as one step of a JSON pointer (RFC 6901)."""
    return str(name).replace("~", "~0").replace("/", "~1")


def find_unstorable(value: Any, pointer: str = "", controls: bool = False) -> UnstorableText | None:
    """The first text or member name in a JSON value that cannot be stored. None: all can be stored.

    `pointer` is the JSON pointer of the value itself. If `controls` is true, a text with a control character counts
    too. Line breaks and tabs never count.
    """
    return next(_found(value, pointer, _UNCLEAN if controls else _UNSTORABLE), None)


def replace_unstorable(value: Any) -> Any:
    """The JSON value with U+FFFD in place of each U+0000 and each lone surrogate."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, list):
        return [replace_unstorable(item) for item in value]
    if isinstance(value, dict):
        return {replace_unstorable(name): replace_unstorable(member) for name, member in value.items()}
    return value


def _found(value: Any, pointer: str, characters: re.Pattern[str]) -> Iterator[UnstorableText]:
    if isinstance(value, str):
        if (found := characters.search(value)) is not None:
            yield UnstorableText(pointer, found[0])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _found(item, f"{pointer}/{index}", characters)
    elif isinstance(value, dict):
        for name, member in value.items():
            inner = f"{pointer}/{pointer_step(clean_id(name))}"
            yield from _found(name, inner, characters)
            yield from _found(member, inner, characters)
