"""First tables: counts by minute, and the events that are already counted."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0001"
down_revision = None

# BRIN indexes, because rows are inserted in the order of their age, and only the retention selects by age.
TABLES = """
CREATE TABLE stats.minute (
    profile_id text        NOT NULL,
    minute     timestamptz NOT NULL,
    lane       text        NOT NULL,
    sent       int         NOT NULL,
    delivered  int         NOT NULL,
    read       int         NOT NULL,
    failed     int         NOT NULL,
    received   int         NOT NULL,
    PRIMARY KEY (profile_id, minute, lane)
) WITH (fillfactor = 80);
CREATE INDEX minute_age ON stats.minute USING brin (minute);
CREATE TABLE stats.delivery (
    delivery_id text        PRIMARY KEY,
    marks       smallint    NOT NULL,
    noted_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX delivery_age ON stats.delivery USING brin (noted_at);
CREATE TABLE stats.customer_message (
    profile_id         text        NOT NULL,
    gateway_message_id text        NOT NULL,
    noted_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (profile_id, gateway_message_id)
);
CREATE INDEX customer_message_age ON stats.customer_message USING brin (noted_at);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
