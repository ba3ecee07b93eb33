"""Spellings: the conversations of one person, stored under two spellings of the number, become one."""

from router.sql_spellings import MERGES
from spreader.runtime.migrations.spellings import merge_spellings

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    merge_spellings(*MERGES)
