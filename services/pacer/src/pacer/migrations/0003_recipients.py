"""Recipients: the index of held deliveries by recipient begins with the recipient instead of the profile, so that the
planner does not use it to read a profile's queue."""

from spreader.runtime.migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    drop_index_concurrently("pacer.delivery_recipient")
    create_index_concurrently("pacer.delivery_recipient", "delivery (recipient, profile_id) WHERE state = 'held'")
