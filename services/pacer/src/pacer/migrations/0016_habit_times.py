"""Habit times: when a recipient last read in an hour, so that old read times can be deleted.

The previous version does not set the time of rows that exist, so their age counts from this migration at the latest.
"""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.habit ADD COLUMN touched_at timestamptz NOT NULL DEFAULT now()")
