"""First tables: decisions, cursors and conversations."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE router.routing (
    message_id      text        NOT NULL,
    first_index     int         NOT NULL,
    strategy        text        NOT NULL,
    package_version int         NOT NULL,
    profiles        text[]      NOT NULL,
    passed_over     text        NOT NULL,
    refused         text,
    noted_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (message_id, first_index)
);
CREATE INDEX routing_age ON router.routing (noted_at);
CREATE TABLE router.cursor (
    package_id text   PRIMARY KEY,
    next       bigint NOT NULL
);
CREATE TABLE router.conversation (
    package_id  text NOT NULL,
    recipient   text NOT NULL,
    profile_id  text NOT NULL,
    customer_at timestamptz,
    sent_at     timestamptz,
    PRIMARY KEY (package_id, recipient)
);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
