"""Known events: the newest configuration of each package, and the newest state of each profile, that a pacer has
read."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0008"
down_revision = "0007"

SQL = """
CREATE TABLE pacer.known_event (
    topic   text   NOT NULL,
    key     text   NOT NULL,
    version bigint NOT NULL,
    event   text   NOT NULL,
    PRIMARY KEY (topic, key)
);
ALTER TABLE pacer.profile ADD COLUMN moved boolean NOT NULL DEFAULT false;
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
