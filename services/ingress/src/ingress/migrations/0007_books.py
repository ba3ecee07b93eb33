"""0007: the age of outbox records, and indexes of the unfinished deliveries, which reconciliation counts."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0007"
down_revision = "0006"

SQL = """
ALTER TABLE ingress.outbox ADD COLUMN put_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE ingress.outbox ALTER put_at SET DEFAULT clock_timestamp();
"""


def upgrade() -> None:
    create_index_concurrently("ingress.message_by_age", "message (accepted_at, message_id)")
    create_index_concurrently("ingress.delivery_unsettled", "delivery (at, lane, status) WHERE stage = 0")
    for statement in statements(SQL):
        op.execute(statement)
