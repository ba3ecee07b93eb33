"""0016: removed messages, whose deliveries are still to be deleted, and an index of configuration changes by age."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0016"
down_revision = "0015"

SQL = """
CREATE TABLE ingress.removed_message (
    message_id text        PRIMARY KEY,
    removed_at timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX removed_message_due ON ingress.removed_message (due_at);
COMMENT ON TABLE ingress.removed_message IS
    'Old messages that are deleted. Their deliveries are deleted at due_at, and once more a day later.';
"""


def upgrade() -> None:
    create_index_concurrently("ingress.change_age", "change (at)")
    for statement in statements(SQL):
        op.execute(statement)
