"""Lifted: when a closure was lifted, so that a sign from before that time does not close the lane again."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE stats.closure ADD COLUMN IF NOT EXISTS lifted_at timestamptz")
