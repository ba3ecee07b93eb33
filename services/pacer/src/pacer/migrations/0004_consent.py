"""Consent: the suppressed recipients and the opt-ins."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE pacer.consent (
    package_id text NOT NULL,
    recipient  text NOT NULL,
    kind       text NOT NULL,
    PRIMARY KEY (recipient, package_id, kind)
);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
