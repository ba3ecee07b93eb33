"""Tables: messages, held deliveries, profiles, and the ledger of releases."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE pacer.message (
    message_id   text        PRIMARY KEY,
    package_id   text        NOT NULL,
    content      text        NOT NULL,
    options      text        NOT NULL,
    requested_at timestamptz NOT NULL,
    traceparent  text,
    noted_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE pacer.cancellation (
    message_id text        PRIMARY KEY,
    at         timestamptz NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE pacer.profile (
    profile_id   text             PRIMARY KEY,
    package_id   text             NOT NULL,
    releases     bigint           NOT NULL DEFAULT 0,
    last_release timestamptz,
    position     double precision NOT NULL DEFAULT random(),
    awaits_answer boolean         NOT NULL DEFAULT false,
    look_at      timestamptz      NOT NULL DEFAULT 'infinity'
) WITH (fillfactor = 70);
CREATE INDEX profile_look ON pacer.profile (look_at);
CREATE INDEX profile_package ON pacer.profile (package_id);
CREATE TABLE pacer.package (
    package_id text PRIMARY KEY
);
CREATE TABLE pacer.delivery (
    delivery_id text        PRIMARY KEY,
    message_id  text        NOT NULL,
    package_id  text        NOT NULL,
    profile_id  text        NOT NULL,
    recipient   text        NOT NULL,
    index       int         NOT NULL,
    attempt     int         NOT NULL,
    tried       text[]      NOT NULL,
    rank        smallint    NOT NULL,
    not_before  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL DEFAULT 'infinity',
    seq         bigserial,
    state       text        NOT NULL DEFAULT 'held',
    reason      text,
    release     bigint,
    released_at timestamptz,
    send_by     timestamptz,
    first_released_at timestamptz,
    announced   boolean     NOT NULL DEFAULT true,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX delivery_queue ON pacer.delivery (profile_id, rank, not_before, seq) WHERE state = 'held';
CREATE INDEX delivery_expiry ON pacer.delivery (expires_at) WHERE state = 'held' AND expires_at < 'infinity';
CREATE INDEX delivery_news ON pacer.delivery (seq) WHERE NOT announced;
CREATE INDEX delivery_message ON pacer.delivery (message_id);
CREATE INDEX delivery_age ON pacer.delivery (changed_at) WHERE state NOT IN ('held', 'released');
CREATE TABLE pacer.release (
    profile_id   text        NOT NULL,
    number       bigint      NOT NULL,
    package_id   text        NOT NULL,
    delivery_id  text        NOT NULL,
    released_at  timestamptz NOT NULL,
    effective_at timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (profile_id, number)
);
CREATE INDEX release_window ON pacer.release (profile_id, effective_at DESC);
CREATE INDEX release_package ON pacer.release (package_id, effective_at DESC);
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
