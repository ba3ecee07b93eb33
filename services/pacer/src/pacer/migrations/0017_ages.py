"""Ages: indexes by age, so that old rows are found without reading a table."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    create_index_concurrently("pacer.message_age", "message (noted_at)")
    create_index_concurrently("pacer.cancellation_age", "cancellation (noted_at) WHERE pending_after IS NULL")
    create_index_concurrently("pacer.release_age", "release (effective_at)")
    create_index_concurrently("pacer.habit_age", "habit (touched_at)")
