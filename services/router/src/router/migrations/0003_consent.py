"""Consent: suppressions and opt-ins, and the recipients that a routing left out."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE router.consent (
    package_id text NOT NULL,
    recipient  text NOT NULL,
    kind       text NOT NULL,
    PRIMARY KEY (recipient, package_id, kind)
);
ALTER TABLE router.routing ADD COLUMN suppressed text NOT NULL DEFAULT '{}';
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
