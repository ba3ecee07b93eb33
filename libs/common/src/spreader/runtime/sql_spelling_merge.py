"""Spelling merge: gives the rows of a table the key of a person, where they have another spelling of the number.

Versions before decision 0058 used the number as it was given. A migration merges their rows. As long as an instance of
such a version runs, it may store more of them, so each service also looks for them once a minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.phone.sql_spellings import IS_NO_KEY, PERSON_KEY
from spreader.runtime.loop import Loop

NUMBERS_A_PIECE = 200
EVERY_SECONDS = 60.0

KEY = PERSON_KEY.format("recipient")
_IS_NO_KEY = IS_NO_KEY.format("recipient")


@dataclass(frozen=True, slots=True)
class SpellingMerge:
    """`statement`: merges the rows `IN_PIECE`. `where`: which rows of the table need a key; the others stay."""

    table: str
    statement: str
    where: str = "true"

    @property
    def index(self) -> str:
        return f"{self.table}_spelling"

    @property
    def indexed(self) -> str:
        """The rows that are to be merged. Usually there are none, so the index is empty."""
        return f"{self.table.split('.')[1]} (recipient) WHERE {_IS_NO_KEY} AND {self.where}"

    def merge_piece(self, connection: Connection, after: str) -> str | None:
        """Merge the rows of the next numbers after `after`. Returns the last of these numbers; None if there is none.

        Rows that another transaction has locked are left out.
        """
        until = connection.execute(self._until, {"after": after, "numbers": NUMBERS_A_PIECE}).scalar()
        if until is not None:
            connection.execute(text(self.statement), {"after": after, "until": until})
        return until

    @property
    def _until(self) -> TextClause:
        return text(f"""
SELECT max(recipient) FROM (
    SELECT recipient FROM {self.table} WHERE {_IS_NO_KEY} AND {self.where} AND recipient > :after
    ORDER BY recipient LIMIT :numbers) AS piece""")


def in_piece(table: str, where: str = "true") -> str:
    """The condition for the rows of a piece. They are locked."""
    return f"""ctid = ANY (ARRAY(
    SELECT ctid FROM {table}
    WHERE {_IS_NO_KEY} AND {where} AND recipient > :after AND recipient <= :until FOR UPDATE SKIP LOCKED))"""


async def merge_all(engine: AsyncEngine, merges: Sequence[SpellingMerge]) -> None:
    """Merge what there is, one transaction for each piece."""
    for merge in merges:
        after: str | None = ""
        while after is not None:
            async with engine.begin() as connection:
                after = await connection.run_sync(merge.merge_piece, after)


def spelling_loop(engine: AsyncEngine, merges: Sequence[SpellingMerge]) -> Loop:
    async def step() -> float:
        await merge_all(engine, merges)
        return EVERY_SECONDS

    return Loop("merge spellings", step)
