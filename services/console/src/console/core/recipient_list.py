"""Sheet: a list of recipients as somebody keeps it: which column holds the numbers, and which rows hold none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from spreader.contract.ids import RECIPIENT_DIGITS_MAX, RECIPIENT_DIGITS_MIN

ERRORS_KEPT_MAX = 1_000

_NAMES = re.compile(
    r"phone|mobile|number|whatsapp|msisdn|tel|cell|هاتف|جوال|موبايل|رقم|móvil|celular|teléfono|telefone", re.IGNORECASE
)
_DRESS = re.compile(r"[\s+()./\u00a0\u200e\u200f\u202a-\u202e-]")
_EASTERN = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")


@dataclass(frozen=True, slots=True)
class WrongRow:
    """`line` counts from 1, as a spreadsheet shows it."""

    line: int
    cell: str
    why: str


@dataclass
class Scan:
    """How the reading of a sheet goes; read by a page while a thread fills it."""

    rows: int = 0
    good: int = 0
    repeated: int = 0
    empty: int = 0
    wrong: int = 0
    read_share: float = 0.0
    done: bool = False
    errors: list[WrongRow] = field(default_factory=list[WrongRow])

    def take(self, line: int, cell: str) -> str | None:
        """Count a row; answers its number, or None where it has none."""
        self.rows += 1
        if not cell.strip():
            self.empty += 1
            return None
        found = number(cell)
        if found is None:
            self.wrong += 1
            if len(self.errors) < ERRORS_KEPT_MAX:
                self.errors.append(WrongRow(line, cell[:60], why_wrong(cell)))
        return found


def number(cell: str) -> str | None:
    """The digits of a phone number in international form, whatever it is dressed in."""
    digits = _DRESS.sub("", cell.strip().removesuffix(".0")).translate(_EASTERN)
    digits = digits.removeprefix("00") if digits.startswith("00") else digits
    fits = RECIPIENT_DIGITS_MIN <= len(digits) <= RECIPIENT_DIGITS_MAX and digits.isascii() and digits.isdecimal()
    return digits if fits and not digits.startswith("0") else None


def why_wrong(cell: str) -> str:
    digits = _DRESS.sub("", cell).translate(_EASTERN)
    if not digits.isdecimal():
        return "it has letters or signs: a phone number is digits"
    if digits.startswith("0"):
        return "it begins with 0: write it with the country's code"
    return f"it has {len(digits)} digits: a phone number has {RECIPIENT_DIGITS_MIN} to {RECIPIENT_DIGITS_MAX}"


def has_header(first: Sequence[str]) -> bool:
    """The first row names the columns where no cell of it is a number."""
    return bool(first) and not any(number(cell) for cell in first)


def guess_column(first: Sequence[str], second: Sequence[str]) -> int:
    """By its name, else the first that holds a number."""
    if has_header(first):
        named = [place for place, cell in enumerate(first) if _NAMES.search(cell)]
        if named:
            return named[0]
    return next((place for row in (first, second) for place, cell in enumerate(row) if number(cell)), 0)


def column_names(first: Sequence[str]) -> list[str]:
    named = has_header(first)
    return [
        cell.strip() if named and cell.strip() else f"Column {place + 1}" + ("" if named else f" ({cell.strip()})")
        for place, cell in enumerate(first)
    ]
