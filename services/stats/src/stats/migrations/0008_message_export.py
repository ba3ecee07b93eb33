"""0008: an index for exports of a package's messages, which read them in the order of their ids."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    create_index_concurrently("stats.message_export", "message (package_id, message_id, first_at)")
