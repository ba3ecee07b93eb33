"""Waiting: since when a held delivery has had no profile, and how its message is shared out."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0009"
down_revision = "0008"

COLUMNS = """
ALTER TABLE pacer.delivery ADD COLUMN waiting_since timestamptz;
ALTER TABLE pacer.message ADD COLUMN strategy text;
"""


def upgrade() -> None:
    for statement in statements(COLUMNS):
        op.execute(statement)
