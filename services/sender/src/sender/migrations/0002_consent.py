"""Migration 0002: suppressions and opt-ins."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0002"
down_revision = "0001"

SQL = """
CREATE TABLE sender.consent (
    package_id text NOT NULL,
    recipient  text NOT NULL,
    kind       text NOT NULL,
    PRIMARY KEY (recipient, package_id, kind)
);
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
