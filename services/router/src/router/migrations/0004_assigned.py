"""Assigned at: the time of a decision. The pacer reports up to which of these times it has counted."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE router.routing ADD COLUMN assigned_at timestamptz")
