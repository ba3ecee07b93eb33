"""Assigned: the newest assignment that is included in the length of a profile's queue."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.profile ADD COLUMN assigned_until timestamptz")
