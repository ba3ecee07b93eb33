"""0020: leases. A lease lets only one instance at a time do work that takes longer than a transaction should."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute(
        """
CREATE TABLE ingress.lease (
    name   text        PRIMARY KEY,
    holder text        NOT NULL,
    until  timestamptz NOT NULL
)"""
    )
