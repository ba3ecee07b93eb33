"""0010: stores the message id of each Idempotency-Key, so that a repeat continues the same message."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Existing rows get an empty id, because Postgres adds a constant without rewriting the table. The next request
    with the same key replaces the empty id. The second statement sets a default for rows that an older ingress inserts
    during an upgrade."""
    op.execute("ALTER TABLE ingress.answer ADD COLUMN message_id text NOT NULL DEFAULT ''")
    op.execute(
        "ALTER TABLE ingress.answer ALTER message_id SET DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', '')"
    )
