"""Given numbers: the number of a held delivery as it was given. Null: it is the key, which `recipient` is from now
on."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.delivery ADD COLUMN given text")
