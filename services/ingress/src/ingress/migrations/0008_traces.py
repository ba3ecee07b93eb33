"""0008: stores the trace of each message, because later receipts of the message belong to the same trace."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE ingress.message ADD COLUMN traceparent text")
