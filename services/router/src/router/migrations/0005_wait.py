"""Waiting: why the deliveries of a decision wait without a profile."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE router.routing ADD COLUMN waiting text")
