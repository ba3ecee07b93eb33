"""Ages: indexes by age, so that old rows are found without reading the tables."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    create_index_concurrently("sender.number_age", "number (checked_at)")
    create_index_concurrently("sender.number_pace_age", "number_pace (free_at)")
