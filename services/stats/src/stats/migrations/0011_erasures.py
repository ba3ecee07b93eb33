"""Erasures: the persons who were erased."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0011"
down_revision = "0010"

SQL = """
CREATE TABLE stats.erasure (
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
CREATE INDEX erasure_hash ON stats.erasure USING gin (hashes);
CREATE INDEX erasure_time ON stats.erasure (at);
CREATE INDEX erasure_open ON stats.erasure (look_at) WHERE done_at IS NULL;
CREATE INDEX erasure_done ON stats.erasure (done_at) WHERE done_at IS NOT NULL;
COMMENT ON TABLE stats.erasure IS
    'Persons who were erased. recipient: the number, until the service has removed it. hashes: keyed hashes of its
     forms. Of the person, nothing up to "at" is kept. unaware: the transactions that may not have seen this row.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
