"""Begun: when a conversation was stored, because one without a message has no other time."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute("ALTER TABLE router.conversation ADD COLUMN begun_at timestamptz NOT NULL DEFAULT now()")
