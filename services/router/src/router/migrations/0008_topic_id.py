"""Topic id: the topic that a stored offset belongs to. Null: an older version stored the offset."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE router.position ADD COLUMN IF NOT EXISTS topic_id text")
