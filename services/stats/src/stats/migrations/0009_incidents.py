"""Incidents: since when the reason of an open alert is gone, and the position of each published alert in the stream."""

from alembic import op

revision = "0009"
down_revision = "0008"

STATEMENTS = (
    "ALTER TABLE stats.alert ADD COLUMN IF NOT EXISTS quiet_since timestamptz",
    "ALTER TABLE stats.alert ADD COLUMN IF NOT EXISTS position bigint",
    "CREATE SEQUENCE IF NOT EXISTS stats.alert_position",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
