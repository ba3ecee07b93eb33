"""Removals: the statements by which a service deletes or changes the rows of an erased person, piece by piece."""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import TextClause, text


@dataclass(frozen=True)
class Removal:
    """Rows of one table that an erasure deletes or changes.

    `rows`: the SQL condition of these rows. In it, the table has the name `mine`. `change`: the SET clause of an
    UPDATE. None: the rows are deleted. `lead`: the first column of the index that finds the rows. It is given only if
    the recipient is the second column of this index. The statement then reads the index once for each value of the
    first column.

    A condition may use the parameters of `spreader.erasure.eraser.ErasureParameters`.
    """

    table: str
    rows: str
    change: str | None = None
    lead: str | None = None

    @cached_property
    def statement(self) -> TextClause:
        """Changes at most `:rows` rows. It leaves locked rows for the next call. So it waits for no other transaction,
        and cannot deadlock."""
        action = f"DELETE FROM {self.table}" if self.change is None else f"UPDATE {self.table} SET {self.change}"
        return text(f"{self._leads}{action} WHERE ctid = ANY (ARRAY({self._found('FOR UPDATE SKIP LOCKED')}))")

    @cached_property
    def is_left(self) -> TextClause:
        """Whether any of these rows is left. Locked rows count too."""
        return text(f"{self._leads}SELECT EXISTS ({self._found('')})")

    @property
    def _leads(self) -> str:
        return "" if self.lead is None else first_column(self.table, self.lead)

    def _found(self, locking: str) -> str:
        if self.lead is None:
            return f"SELECT mine.ctid FROM {self.table} AS mine WHERE {self.rows} LIMIT :rows {locking}"
        return f"""
SELECT found.ctid FROM leads CROSS JOIN LATERAL (
    SELECT mine.ctid FROM {self.table} AS mine WHERE mine.{self.lead} = leads.value AND {self.rows}
    LIMIT :rows {locking}) AS found LIMIT :rows"""


def first_column(table: str, column: str) -> str:
    """A WITH clause whose table `leads` has each value of the first column of an index once. Postgres reads one entry
    of the index for each value, however many rows there are."""
    return f"""
WITH RECURSIVE leads (value) AS (
    (SELECT {column} FROM {table} ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM {table} WHERE {column} > leads.value ORDER BY {column} LIMIT 1)
    FROM leads WHERE leads.value IS NOT NULL)
"""


IS_NUMBER = "= ANY (CAST(:numbers AS text[]))"
OF_NUMBER = f"mine.recipient {IS_NUMBER}"


def consent_removals(schema: str) -> tuple[Removal, ...]:
    """The removals from a service's copy of the consent lists."""
    is_kept = "mine.kind = 'suppression' AND CAST(:keep_suppression AS boolean)"
    is_old = "(mine.at IS NULL OR mine.at <= CAST(:at AS timestamptz))"
    return (
        Removal(f"{schema}.consent", f"{OF_NUMBER} AND {is_old} AND NOT ({is_kept})"),
        Removal(f"{schema}.consent_removal", f"{OF_NUMBER} AND {is_old}"),
    )
