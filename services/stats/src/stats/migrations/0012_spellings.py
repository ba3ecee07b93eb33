"""Spellings: the contact histories of one person, stored under two spellings of the number, become one."""

from spreader.runtime.migrations.spellings import merge_spellings
from stats.counting.sql_spellings import MERGES

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    merge_spellings(*MERGES)
