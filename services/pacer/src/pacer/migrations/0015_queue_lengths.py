"""Queue lengths: the last count of each long queue, because a count takes the longer, the more is held."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0015"
down_revision = "0014"

TABLES = """
CREATE TABLE pacer.queue_length (
    profile_id     text PRIMARY KEY,
    held           bigint,
    assigned_until timestamptz,
    counted_at     timestamptz
) WITH (fillfactor = 70);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
