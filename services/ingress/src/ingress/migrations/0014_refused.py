"""0014: why Kafka refused a record of the outbox for good. A refused record is not published again."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER TABLE ingress.outbox ADD COLUMN refusal text")
