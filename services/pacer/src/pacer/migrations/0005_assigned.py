"""Assigned: up to when what the router assigned to a profile is counted among what it holds."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.profile ADD COLUMN assigned_until timestamptz")
