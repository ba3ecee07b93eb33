"""0022: erasures of persons, what each service removed, and indexes that find the rows of a recipient."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0022"
down_revision = "0021"

SQL = """
CREATE TABLE ingress.erasure (
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
    done_at          timestamptz,
    asked_by         text
);
CREATE INDEX erasure_hash ON ingress.erasure USING gin (hashes);
CREATE INDEX erasure_time ON ingress.erasure (at);
CREATE INDEX erasure_open ON ingress.erasure (look_at) WHERE done_at IS NULL;
CREATE INDEX erasure_done ON ingress.erasure (done_at) WHERE done_at IS NOT NULL;
COMMENT ON TABLE ingress.erasure IS
    'Persons who were erased. recipient: the number, until the service has removed it. hashes: keyed hashes of its
     forms. Of the person, nothing up to "at" is kept. unaware: the transactions that may not have seen this row.';
CREATE TABLE ingress.erasure_report (
    erasure_id text        NOT NULL REFERENCES ingress.erasure ON DELETE CASCADE,
    service    text        NOT NULL,
    rows       jsonb       NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (erasure_id, service)
);
"""


def upgrade() -> None:
    create_index_concurrently("ingress.delivery_of_recipient", "delivery (recipient)")
    create_index_concurrently("ingress.consent_of_recipient", "consent (recipient)")
    create_index_concurrently("ingress.hidden_id_of_recipient", "hidden_id (recipient)")
    for statement in statements(SQL):
        op.execute(statement)
