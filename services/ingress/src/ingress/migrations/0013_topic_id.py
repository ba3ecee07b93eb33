"""0013: the id of the topic to which a stored offset belongs. It is null if an older version stored the offset."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("ALTER TABLE ingress.position ADD COLUMN IF NOT EXISTS topic_id text")
