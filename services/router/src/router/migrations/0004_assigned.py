"""Assigned at: the time of a decision. The pacer reports the last of these times whose assignments it has counted."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE router.routing ADD COLUMN assigned_at timestamptz")
