"""0010: the message that an Idempotency-Key stands for, for as long as the key is known."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The default is for rows that are there, and for those that an older ingress writes meanwhile."""
    op.execute(
        "ALTER TABLE ingress.answer ADD COLUMN message_id text NOT NULL"
        " DEFAULT 'msg_' || replace(gen_random_uuid()::text, '-', '')"
    )
