"""0019: an index of a package's messages by lane, and an index of the messages whose deliveries are not all counted."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    create_index_concurrently(
        "ingress.message_of_lane", "message (package_id, lane, accepted_at DESC, message_id DESC)"
    )
    create_index_concurrently("ingress.message_uncounted", "message (message_id) WHERE NOT counted")
