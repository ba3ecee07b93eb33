"""Assigned: the time of the newest assignment that a profile's queue contains."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.profile ADD COLUMN assigned_until timestamptz")
