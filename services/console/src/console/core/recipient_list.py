"""Recipient list: finds which column of a spreadsheet contains the phone numbers.

It also finds the rows that have no valid number in that column.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from spreader.contract.ids import RECIPIENT_DIGITS_MAX, RECIPIENT_DIGITS_MIN

ERRORS_KEPT_MAX = 1_000

_COLUMN_NAMES = re.compile(
    r"phone|mobile|number|whatsapp|msisdn|tel|cell|هاتف|جوال|موبايل|رقم|móvil|celular|teléfono|telefone", re.IGNORECASE
)
_PUNCTUATION = re.compile(r"[\s+()./\u00a0\u200e\u200f\u202a-\u202e-]")
_EASTERN_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


@dataclass(frozen=True, slots=True)
class InvalidCell:
    """A cell that contains no valid phone number. Its `line` is the row number that a spreadsheet program shows."""

    line: int
    cell: str
    why: str


@dataclass
class RecipientScan:
    """How far a file has been read, and the counts of its rows. A thread updates the scan while the page shows it."""

    rows: int = 0
    valid: int = 0
    repeated: int = 0
    empty: int = 0
    invalid: int = 0
    read_share: float = 0.0
    done: bool = False
    errors: list[InvalidCell] = field(default_factory=list[InvalidCell])

    def add(self, line: int, cell: str) -> str | None:
        """Count a row. Returns the phone number in its cell, or None if the cell contains no valid number."""
        self.rows += 1
        if not cell.strip():
            self.empty += 1
            return None
        digits = phone_number(cell)
        if digits is None:
            self.invalid += 1
            if len(self.errors) < ERRORS_KEPT_MAX:
                self.errors.append(InvalidCell(line, cell[:60], invalid_reason(cell)))
        return digits


def phone_number(cell: str) -> str | None:
    """The digits of the phone number in the cell, in international form and without punctuation.

    None if the cell does not contain a valid phone number.
    """
    digits = _PUNCTUATION.sub("", cell.strip().removesuffix(".0")).translate(_EASTERN_DIGITS)
    digits = digits.removeprefix("00") if digits.startswith("00") else digits
    fits = RECIPIENT_DIGITS_MIN <= len(digits) <= RECIPIENT_DIGITS_MAX and digits.isascii() and digits.isdecimal()
    return digits if fits and not digits.startswith("0") else None


def invalid_reason(cell: str) -> str:
    digits = _PUNCTUATION.sub("", cell).translate(_EASTERN_DIGITS)
    if not digits.isdecimal():
        return "it has letters or signs: a phone number is digits"
    if digits.startswith("0"):
        return "it begins with 0: write it with the country's code"
    return f"it has {len(digits)} digits: a phone number has {RECIPIENT_DIGITS_MIN} to {RECIPIENT_DIGITS_MAX}"


def has_header(first: Sequence[str]) -> bool:
    """Whether the first row contains the names of the columns. It does if none of its cells is a phone number."""
    return bool(first) and not any(phone_number(cell) for cell in first)


def guess_column(first: Sequence[str], second: Sequence[str]) -> int:
    """The column that probably contains the phone numbers.

    It is the first column with a name such as `Mobile`. If no column has such a name, it is the column of the first
    phone number in the first two rows. If these rows have no phone number, it is column 0.
    """
    if has_header(first):
        named = [column for column, cell in enumerate(first) if _COLUMN_NAMES.search(cell)]
        if named:
            return named[0]
    return next((column for row in (first, second) for column, cell in enumerate(row) if phone_number(cell)), 0)


def column_names(first: Sequence[str]) -> list[str]:
    named = has_header(first)
    return [
        cell.strip() if named and cell.strip() else f"Column {column + 1}" + ("" if named else f" ({cell.strip()})")
        for column, cell in enumerate(first)
    ]
