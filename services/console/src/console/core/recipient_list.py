"""Recipient list: finds the column with phone numbers in a spreadsheet, and the rows without a valid one."""

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
    """A cell without a valid number. `line` counts from 1, as in a spreadsheet."""

    line: int
    cell: str
    why: str


@dataclass
class RecipientScan:
    """Progress and counts of reading a file. A thread updates it while the page shows it."""

    rows: int = 0
    valid: int = 0
    repeated: int = 0
    empty: int = 0
    invalid: int = 0
    read_share: float = 0.0
    done: bool = False
    errors: list[InvalidCell] = field(default_factory=list[InvalidCell])

    def add(self, line: int, cell: str) -> str | None:
        """Count a row. Returns its phone number, or None if it has no valid one."""
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
    """The digits of a phone number in international form, without punctuation; None if the cell is none."""
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
    """Whether the first row names the columns: none of its cells is a phone number."""
    return bool(first) and not any(phone_number(cell) for cell in first)


def guess_column(first: Sequence[str], second: Sequence[str]) -> int:
    """The first column with a telling name, else the first with a phone number."""
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
