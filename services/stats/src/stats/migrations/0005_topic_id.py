"""Topic id: the topic that a stored offset belongs to. Null: an older version stored the offset."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE stats.position ADD COLUMN IF NOT EXISTS topic_id text")
