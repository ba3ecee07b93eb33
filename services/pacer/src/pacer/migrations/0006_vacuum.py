"""Vacuum: begins at 5 % dead rows instead of 1 %. With a million held deliveries, 1 % would vacuum six large indexes
after every 10,000 releases."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.delivery SET (autovacuum_vacuum_scale_factor = 0.05)")
