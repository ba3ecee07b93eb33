"""Countries: the country with which a decision completed the national numbers of its record."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER TABLE router.routing ADD COLUMN country text")
