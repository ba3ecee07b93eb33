"""Stops: which held deliveries must still be ended because of a cancellation or a change of consent. A new index lets
the relay publish releases first."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently, drop_index_concurrently
from spreader.runtime.postgres import statements

revision = "0010"
down_revision = "0009"

TABLES = """
ALTER TABLE pacer.cancellation ADD COLUMN pending_after bigint;
CREATE TABLE pacer.stopped_recipient (
    package_id text NOT NULL,
    recipient  text NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (recipient, package_id, reason)
);
"""


def upgrade() -> None:
    create_index_concurrently("pacer.delivery_of_message", "delivery (message_id, seq)")
    drop_index_concurrently("pacer.delivery_message")
    create_index_concurrently("pacer.delivery_unpublished", "delivery ((state <> 'released'), seq) WHERE NOT announced")
    drop_index_concurrently("pacer.delivery_news")
    for statement in statements(TABLES):
        op.execute(statement)
