"""Recipient rules: what a package's settings said of its recipients when deliveries were put off for their sake."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.package ADD COLUMN recipient_rules text")
