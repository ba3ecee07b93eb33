"""Signs: the newest reported sign for each lane of a profile."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE stats.sign (
    profile_id text        NOT NULL,
    lane       text        NOT NULL,
    at         timestamptz NOT NULL,
    evidence   text        NOT NULL,
    PRIMARY KEY (profile_id, lane)
);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
