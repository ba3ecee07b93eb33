"""Spellings: the consents of one person, stored under two spellings of the number, become one."""

from ingress.sql.spellings import MERGES
from spreader.runtime.migrations.spellings import merge_spellings

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    merge_spellings(*MERGES)
