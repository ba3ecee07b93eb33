"""Substitute: the profile that sends the replies to a customer while the conversation's profile cannot send."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE router.conversation ADD COLUMN substitute text")
