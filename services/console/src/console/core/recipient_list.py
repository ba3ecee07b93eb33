"""Recipient list: the counts of the rows of a spreadsheet, and the rows without a valid phone number."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from spreader.phone.dressed_number import read_number
from spreader.phone.number_column import ListLayout, sample_numbers

ERRORS_KEPT_MAX = 1_000
SAMPLES_SHOWN_MAX = 2


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
        found = read_number(cell)
        if isinstance(found, str):
            return found
        self.invalid += 1
        if len(self.errors) < ERRORS_KEPT_MAX:
            self.errors.append(InvalidCell(line, cell[:60], found.reason))
        return None


def column_labels(layout: ListLayout, rows: Sequence[Sequence[str]]) -> list[str]:
    """What the operator reads about each column: its name, and its first numbers as they would be dialled."""
    labels = list[str]()
    for column, numbers in enumerate(sample_numbers(rows, layout, SAMPLES_SHOWN_MAX)):
        samples = f" ({', '.join(numbers)}, …)" if numbers else ""
        labels.append((layout.name_of(column) or f"Column {column + 1}") + samples)
    return labels
