"""Consent times: when each change of consent was made, so that an older change that is read again changes nothing.

Null: an older version stored the change. A removal has a row of its own, because the previous version reads each row of
`consent` as an entry of a list.
"""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0010"
down_revision = "0009"

TABLES = """
ALTER TABLE router.consent ADD COLUMN at timestamptz;
CREATE TABLE router.consent_removal (
    package_id text        NOT NULL,
    recipient  text        NOT NULL,
    kind       text        NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (recipient, package_id, kind)
);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
