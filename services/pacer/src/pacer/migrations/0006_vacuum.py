"""Vacuum: with a million held, one in a hundred is a vacuum of six large indexes for every ten thousand releases."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.delivery SET (autovacuum_vacuum_scale_factor = 0.05)")
