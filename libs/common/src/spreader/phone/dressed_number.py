"""Dressed number: a phone number as people and spreadsheet programs write it."""

import re
import unicodedata
from dataclasses import dataclass

from spreader.contract.ids import RECIPIENT_DIGITS_MAX, RECIPIENT_DIGITS_MIN

CHARACTERS_MAX = 200
"""A longer cell is read only up to here."""

_SPREADSHEET_DRESS = re.compile(r"""^=?\s*["'`’]*(.*?)["'`’]*$""", re.DOTALL)
"""Excel's `="201…"` and the apostrophe that marks a text."""
_DECIMAL_ZEROS = re.compile(r"^(\+?\d{5,})[.,]0+$")
"""A number that was stored as a decimal number, such as `201001234567.0`."""
_SCIENTIFIC = re.compile(r"^\d+([.,]\d+)?e\+?\d+$", re.IGNORECASE)
_DATE = re.compile(
    r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([ t]\d{1,2}:\d{2}.*)?$", re.IGNORECASE
)
_SEVERAL = re.compile(r"[/;,|]+|\s(?:or|and|y|ou|و)\s")
_TRUNK_ZERO = re.compile(r"^((?:\+|00)\s*\d[\d\s.-]*?)\(0\)")
"""The zero in `+44 (0)20 …`, which is dialled only inside the country."""
_PUNCTUATION = re.compile(r"[\s()./\-‐‑‒–—]")


@dataclass(frozen=True, slots=True)
class NoNumber:
    """Why a cell has no phone number that can be dialled."""

    reason: str


def read_number(cell: str) -> str | NoNumber:
    """The digits of the phone number in a cell, with the country code."""
    text = _plain(cell[:CHARACTERS_MAX])
    if _DATE.match(text):
        return NoNumber("it is a date")
    if _SCIENTIFIC.match(text):
        return NoNumber("the spreadsheet has rounded it: format the column as text, and enter the number again")
    if sum(count_digits(part) >= RECIPIENT_DIGITS_MIN for part in _SEVERAL.split(text)) > 1:
        return NoNumber("it has several numbers: give each a row of its own")
    dialled = _TRUNK_ZERO.sub(r"\1", _DECIMAL_ZEROS.sub(r"\1", text))
    digits = _PUNCTUATION.sub("", dialled).removeprefix("+").removeprefix("00")
    if not digits.isdecimal():
        return NoNumber("it has letters or signs: a phone number is digits" if digits else "it is empty")
    if digits.startswith("0"):
        return NoNumber("it begins with 0: write it with the country's code")
    if not RECIPIENT_DIGITS_MIN <= len(digits) <= RECIPIENT_DIGITS_MAX:
        between = f"{RECIPIENT_DIGITS_MIN} to {RECIPIENT_DIGITS_MAX}"
        return NoNumber(f"it has {len(digits)} digits: a phone number has {between}")
    return digits


def count_digits(text: str) -> int:
    return sum(character.isdecimal() for character in text)


def _plain(cell: str) -> str:
    """The cell with ASCII digits, and without invisible characters and the dress of spreadsheet programs."""
    shown = (_ascii(character) for character in cell)
    visible = "".join(character for character in shown if unicodedata.category(character) not in ("Cf", "Cc"))
    match = _SPREADSHEET_DRESS.match(visible.strip())
    assert match is not None, "the pattern fits every text"
    return match[1].strip()


def _ascii(character: str) -> str:
    """A digit of any script as ASCII, any space as a blank, and a line break as a semicolon."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character.isspace():
        return ";" if character in "\r\n" else " "
    return "+" if character == "\uff0b" else character
