"""Migration 0001: the deliveries to send, and the events that are not published yet."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0001"
down_revision = None

SQL = """
CREATE TABLE sender.delivery (
    delivery_id        text        PRIMARY KEY,
    lane               text        NOT NULL CHECK (lane IN ('open', 'reply')),
    package_id         text        NOT NULL,
    recipient          text        NOT NULL,
    profile_id         text        NOT NULL,
    attempt            int         NOT NULL,
    release            bigint      NOT NULL,
    asked              text,
    traceparent        text,
    state              text        NOT NULL CHECK (state IN ('ready', 'sending', 'settled')),
    due_at             timestamptz NOT NULL,
    worker             text,
    claim              int         NOT NULL DEFAULT 0,
    tries              int         NOT NULL DEFAULT 0,
    status             text,
    gateway_message_id text,
    sequence           bigint      GENERATED ALWAYS AS IDENTITY
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
CREATE INDEX delivery_due ON sender.delivery (lane, due_at, sequence) WHERE state <> 'settled';
CREATE INDEX delivery_conversation ON sender.delivery (package_id, recipient, sequence)
    WHERE lane = 'reply' AND state <> 'settled';
CREATE INDEX delivery_settled ON sender.delivery (due_at) WHERE state = 'settled';
COMMENT ON TABLE sender.delivery IS
    'One row a delivery. ready: may be claimed from due_at on; sending: claimed until due_at, the end of the lease, and
     whoever takes it over then asks the gateway first; settled at due_at. Times are of the machine''s clock.
     claim numbers the claims: a result is written only under the claim that it belongs to.
     asked: the event that asked for it, until it is settled.';
CREATE TABLE sender.unpublished (
    delivery_id text        NOT NULL,
    claim       int         NOT NULL,
    type        text        NOT NULL,
    lane        text        NOT NULL,
    body        text        NOT NULL,
    traceparent text,
    settled_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (delivery_id, claim, type)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
CREATE INDEX unpublished_oldest ON sender.unpublished (lane, settled_at);
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
