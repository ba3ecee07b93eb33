"""Pending cancellations: an index of the cancellations whose held deliveries have not all ended. It needs a column that
migration 0010 adds."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    create_index_concurrently("pacer.cancellation_pending", "cancellation (noted_at) WHERE pending_after IS NOT NULL")
