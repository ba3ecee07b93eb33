"""Topic id: the topic that a stored offset belongs to. Null: an older version stored the offset."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.position ADD COLUMN IF NOT EXISTS topic_id text")
