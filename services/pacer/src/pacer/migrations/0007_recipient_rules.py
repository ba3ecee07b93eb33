"""Recipient rules: the rules of a package under which its deliveries were parked."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.package ADD COLUMN recipient_rules text")
