"""Topic id: the topic that a stored offset belongs to. Null: an older version stored the offset."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE sender.position ADD COLUMN IF NOT EXISTS topic_id text")
