"""Import result: how many numbers of a CSV or XLSX file were added to a list, and which rows were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from typing_extensions import TypedDict

from ingress.core.number_warnings import NumberWarning, implausible
from ingress.core.phone_list import InvalidRow, PhoneRow
from spreader.phone.plausible import ImplausibleNumbers

ERRORS_SHOWN_MAX = 100


class ImportCounts(TypedDict):
    """`wrong`: the number of invalid rows. `errors` shows the first invalid rows."""

    rows: int
    added: int
    already: int
    wrong: int
    warnings: list[NumberWarning]
    errors: list[InvalidRow]


class ImportBody(ImportCounts):
    package_id: str


@dataclass
class ImportResult:
    rows: int = 0
    added: int = 0
    wrong: int = 0
    errors: list[InvalidRow] = field(default_factory=list[InvalidRow])
    implausible: ImplausibleNumbers = field(default_factory=ImplausibleNumbers)

    def count(self, rows: Sequence[PhoneRow | InvalidRow]) -> list[str]:
        """Count these rows. Returns the recipients of the valid rows."""
        invalid = [row for row in rows if isinstance(row, InvalidRow)]
        self.rows += len(rows)
        self.wrong += len(invalid)
        self.errors += invalid[: ERRORS_SHOWN_MAX - len(self.errors)]
        recipients = [row.recipient for row in rows if isinstance(row, PhoneRow)]
        self.implausible.add(recipients)
        return recipients

    def body(self) -> ImportCounts:
        return {
            "rows": self.rows,
            "added": self.added,
            "already": self.rows - self.wrong - self.added,
            "wrong": self.wrong,
            "warnings": implausible(self.implausible),
            "errors": self.errors,
        }
