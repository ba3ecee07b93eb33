"""Typed numbers: the phone numbers in a text that an operator typed or pasted. They are read like the numbers in a
file."""

import re
from dataclasses import dataclass

from spreader.phone.dressed_number import NoNumber, count_digits, read_number

WRONG_SHOWN_MAX = 5
_BETWEEN_NUMBERS = re.compile(r"[\r\n\t,;|،؛]+")
_BEFORE_PLUS = re.compile(r"(?<=[\d)])\s+(?=\+)")


@dataclass(frozen=True, slots=True)
class WrongPart:
    """A part of the text, and why it is not a phone number."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class TypedNumbers:
    numbers: tuple[str, ...]
    wrong: tuple[WrongPart, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong with the text, in words. Empty if nothing is wrong."""
        parts = [f"“{part.text}”: {part.why}" for part in self.wrong[:WRONG_SHOWN_MAX]]
        more = len(self.wrong) - len(parts)
        return "; ".join(parts) + (f"; and {more} more" if more else "")


def read_typed(text: str, country: str | None = None) -> TypedNumbers:
    """Read the numbers of a text. Commas, semicolons and line ends separate numbers. A space may separate two numbers,
    or belong to one number."""
    numbers, wrong = list[str](), list[WrongPart]()
    for part in _parts(text):
        for piece in _pieces(part, country):
            found = read_number(piece, country)
            if isinstance(found, NoNumber):
                wrong.append(WrongPart(piece[:40], found.reason))
            else:
                numbers.append(found)
    return TypedNumbers(tuple(numbers), tuple(wrong))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _BETWEEN_NUMBERS.split(text) if part.strip()]


def _pieces(part: str, country: str | None) -> list[str]:
    """The part itself if it is one number. Otherwise the pieces between its spaces, if they are numbers."""
    if isinstance(read_number(part, country), str):
        return [part]
    for pieces in (_BEFORE_PLUS.split(part), part.split()):
        are_numbers = [isinstance(read_number(piece, country), str) for piece in pieces]
        if len(pieces) > 1 and (all(are_numbers) or (any(are_numbers) and not _is_scattered(pieces))):
            return pieces
    return [part]


def _is_scattered(pieces: list[str]) -> bool:
    """Whether the pieces are groups of digits of one number."""
    return sum(1 <= count_digits(piece) <= 6 for piece in pieces) > 1
