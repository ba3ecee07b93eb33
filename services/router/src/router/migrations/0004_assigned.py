"""Assigned at: the time of a decision. With the length of a profile's queue, the pacer publishes the time of the newest
decision that the queue contains."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE router.routing ADD COLUMN assigned_at timestamptz")
