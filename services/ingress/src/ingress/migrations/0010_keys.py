"""0010: the message id of an Idempotency-Key, so that a retry goes on with the same message."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The default fills existing rows, and rows that an older ingress inserts during an upgrade."""
    op.execute(
        "ALTER TABLE ingress.answer ADD COLUMN message_id text NOT NULL"
        " DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', '')"
    )
