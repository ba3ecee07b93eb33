"""Migration 0006: cancelled messages, and the message of each delivery."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0006"
down_revision = "0005"

SQL = """
CREATE TABLE sender.cancellation (
    message_id text        PRIMARY KEY,
    noted_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX cancellation_oldest ON sender.cancellation (noted_at);
COMMENT ON TABLE sender.cancellation IS
    'Messages that a caller cancelled. A call of an open delivery begins only if its message is not here.';
ALTER TABLE sender.delivery ADD COLUMN message_id text;
COMMENT ON COLUMN sender.delivery.message_id IS
    'Null: the previous version stored the delivery. Its cancellation is then seen when its call begins, not before.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
