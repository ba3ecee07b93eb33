"""Conversation moves, and the reasons of a routing."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE router.conversation_move (
    package_id text        NOT NULL,
    recipient  text        NOT NULL,
    profile_id text        NOT NULL,
    at         timestamptz NOT NULL,
    cause      text        NOT NULL,
    PRIMARY KEY (package_id, recipient, at)
);
ALTER TABLE router.routing ADD COLUMN reasons text NOT NULL DEFAULT '{}';
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
