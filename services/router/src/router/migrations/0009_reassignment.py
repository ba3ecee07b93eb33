"""Reassignment: the decision on each returned delivery, so that a repeated record gets the same one."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0009"
down_revision = "0008"

TABLES = """
CREATE TABLE router.reassignment (
    delivery_id text        NOT NULL,
    attempt     int         NOT NULL,
    profile_id  text,
    reason      text        NOT NULL,
    is_end      boolean     NOT NULL,
    noted_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (delivery_id, attempt)
);
CREATE INDEX reassignment_age ON router.reassignment (noted_at);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
