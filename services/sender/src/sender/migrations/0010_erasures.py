"""Erasures: the persons who were erased, and indexes for the deliveries and the other form of a number."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0010"
down_revision = "0009"

SQL = """
CREATE TABLE sender.erasure (
    erasure_id       text        PRIMARY KEY,
    hashes           text[]      NOT NULL,
    recipient        text,
    at               timestamptz NOT NULL,
    handled_at       timestamptz NOT NULL,
    keep_suppression boolean     NOT NULL,
    rows             jsonb       NOT NULL DEFAULT '{}',
    noted_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    unaware          text[],
    look_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at          timestamptz
);
CREATE INDEX erasure_hash ON sender.erasure USING gin (hashes);
CREATE INDEX erasure_time ON sender.erasure (at);
CREATE INDEX erasure_open ON sender.erasure (look_at) WHERE done_at IS NULL;
CREATE INDEX erasure_done ON sender.erasure (done_at) WHERE done_at IS NOT NULL;
COMMENT ON TABLE sender.erasure IS
    'Persons who were erased. recipient: the number, until the service has removed it. hashes: keyed hashes of its
     forms. Of the person, nothing up to "at" is kept. unaware: the transactions that may not have seen this row.';
"""


def upgrade() -> None:
    create_index_concurrently("sender.delivery_of_recipient", "delivery (recipient) WHERE state = 'settled'")
    create_index_concurrently("sender.number_by_address", "number (address) WHERE address <> number")
    for statement in statements(SQL):
        op.execute(statement)
