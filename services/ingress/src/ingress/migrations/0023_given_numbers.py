"""Given numbers: the number of a consent as it was given. Null: it is the key, which `recipient` is from now on."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("ALTER TABLE ingress.consent ADD COLUMN given text")
