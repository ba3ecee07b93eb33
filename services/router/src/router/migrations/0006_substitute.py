"""Substitute: the profile that answers a customer while the customer's own profile cannot send."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE router.conversation ADD COLUMN substitute text")
