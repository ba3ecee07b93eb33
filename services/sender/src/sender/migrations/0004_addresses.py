"""Migration 0004: the form of a number under which WhatsApp knows it."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0004"
down_revision = "0003"

SQL = """
ALTER TABLE sender.number ADD COLUMN address text;
COMMENT ON COLUMN sender.number.address IS
    'The digits that WhatsApp knows it by, which for some Brazilian numbers have no 9. Null: it was not told.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
