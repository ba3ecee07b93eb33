"""Recipient list: the counts of the rows of a spreadsheet, and the rows without a valid phone number."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from spreader.phone.dressed_number import SEVERAL, NoNumber, read_number
from spreader.phone.number_column import ListLayout, sample_numbers
from spreader.phone.plausible import ImplausibleNumbers

ERRORS_KEPT_MAX = 1_000
SAMPLES_SHOWN_MAX = 2


@dataclass(frozen=True, slots=True)
class InvalidCell:
    """A cell that contains no valid phone number. `line`: the line of its row in the file."""

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
    implausible: ImplausibleNumbers = field(default_factory=ImplausibleNumbers)
    """The valid numbers that seem to exist in no country."""
    country: str | None = None
    """The country to which national numbers belong."""
    width: int | None = None
    """How many columns the rows usually have. A row with a phone number beyond these columns is wrong."""

    def add(self, line: int, cells: Sequence[str], column: int) -> str | None:
        """Count a row. Returns the phone number in this column, or None if the cell contains no valid number."""
        self.rows += 1
        cell = cells[column] if column < len(cells) else ""
        more = () if self.width is None else cells[self.width :]
        found: str | NoNumber = read_number(cell, self.country)
        if any(isinstance(read_number(other, self.country), str) for other in more):
            found, cell = NoNumber(SEVERAL), ", ".join(cells)
        elif not cell.strip():
            self.empty += 1
            return None
        if isinstance(found, str):
            self.implausible.add([found])
            return found
        self.invalid += 1
        if len(self.errors) < ERRORS_KEPT_MAX:
            self.errors.append(InvalidCell(line, cell[:60], found.reason))
        return None


def warning_words(implausible: ImplausibleNumbers) -> str:
    """What the operator reads about numbers that seem to exist in no country. Empty if there are none."""
    if not implausible.count:
        return ""
    samples = ", ".join(f"{sample.number} ({sample.detail})" for sample in implausible.samples)
    numbers = "number seems" if implausible.count == 1 else "numbers seem"
    return f"{implausible.count} {numbers} to exist in no country, and are used all the same: {samples}"


def column_labels(layout: ListLayout, rows: Sequence[Sequence[str]], country: str | None = None) -> list[str]:
    """What the operator reads about each column: its name, and its first numbers as they would be dialled."""
    labels = list[str]()
    for column, numbers in enumerate(sample_numbers(rows, layout, SAMPLES_SHOWN_MAX, country)):
        samples = f" ({', '.join(numbers)}, …)" if numbers else ""
        labels.append((layout.name_of(column) or f"Column {column + 1}") + samples)
    return labels
