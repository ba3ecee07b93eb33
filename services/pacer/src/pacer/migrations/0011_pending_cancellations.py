"""Pending cancellations: an index of those whose held deliveries are not all ended. It needs the column of 0010."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    create_index_concurrently("pacer.cancellation_pending", "cancellation (noted_at) WHERE pending_after IS NOT NULL")
