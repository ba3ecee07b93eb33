"""Erasures: the persons who were erased, and an index for the deliveries of a recipient that are no longer held."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0018"
down_revision = "0017"

SQL = """
CREATE TABLE pacer.erasure (
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
CREATE INDEX erasure_hash ON pacer.erasure USING gin (hashes);
CREATE INDEX erasure_time ON pacer.erasure (at);
CREATE INDEX erasure_open ON pacer.erasure (look_at) WHERE done_at IS NULL;
CREATE INDEX erasure_done ON pacer.erasure (done_at) WHERE done_at IS NOT NULL;
COMMENT ON TABLE pacer.erasure IS
    'Persons who were erased. recipient: the number, until the service has removed it. hashes: keyed hashes of its
     forms. Of the person, nothing up to "at" is kept. unaware: the transactions that may not have seen this row.';
"""


def upgrade() -> None:
    create_index_concurrently(
        "pacer.delivery_of_recipient", "delivery (recipient) WHERE state NOT IN ('held', 'released')"
    )
    for statement in statements(SQL):
        op.execute(statement)
