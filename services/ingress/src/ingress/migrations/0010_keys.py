"""0010: the message id of an Idempotency-Key, so that a retry goes on with the same message."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Existing rows get an empty id, because Postgres can add a constant without writing the table again. The next
    request with the key replaces the empty id. The default is for rows that an older ingress inserts during an
    upgrade."""
    op.execute("ALTER TABLE ingress.answer ADD COLUMN message_id text NOT NULL DEFAULT ''")
    op.execute(
        "ALTER TABLE ingress.answer ALTER message_id SET DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', '')"
    )
