"""Spellings: merges rows of one person in a migration, in pieces that each commit, so that no writer waits for long."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.sql_spelling_merge import SpellingMerge


def merge_spellings(*merges: SpellingMerge) -> None:
    """Call this before everything else in `upgrade`, because it ends the transaction of the migration. If it fails, the
    pieces that are merged stay, and the next run continues."""
    for merge in merges:
        create_index_concurrently(merge.index, merge.indexed)
        with op.get_context().autocommit_block():
            after: str | None = ""
            while after is not None:
                after = merge.merge_piece(op.get_bind(), after)
