"""0007: the age of outbox records, and indexes for unfinished deliveries (reconciliation)."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0007"
down_revision = "0006"

SQL = """
ALTER TABLE ingress.outbox ADD COLUMN put_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX message_by_age ON ingress.message (accepted_at, message_id);
CREATE INDEX delivery_unsettled ON ingress.delivery (at, lane, status) WHERE stage = 0;
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
