"""Spellings: the held deliveries, releases, contacts and read times of one person get the key of the person."""

from pacer.sql.spellings import MERGES
from spreader.runtime.migrations.spellings import merge_spellings

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    merge_spellings(*MERGES)
