"""Ages: indexes by age, so that old conversations are found without reading the tables."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    create_index_concurrently(
        "router.conversation_age", "conversation (coalesce(greatest(customer_at, sent_at), begun_at))"
    )
    create_index_concurrently("router.conversation_move_age", "conversation_move (at)")
