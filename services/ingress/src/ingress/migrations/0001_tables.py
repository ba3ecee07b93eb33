"""0001: packages and profiles, the outbox, the status projection, and stored responses for Idempotency-Keys."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0001"
down_revision = None

SQL = """
CREATE TABLE ingress.package (
    package_id text PRIMARY KEY,
    version    bigint NOT NULL,
    settings   jsonb NOT NULL,
    paused     boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE ingress.package_gone (
    package_id text PRIMARY KEY,
    version    bigint NOT NULL
);
CREATE TABLE ingress.profile (
    profile_id text PRIMARY KEY,
    package_id text NOT NULL REFERENCES ingress.package ON DELETE CASCADE,
    settings   jsonb NOT NULL,
    paused     boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX profile_of_package ON ingress.profile (package_id, profile_id);
CREATE TABLE ingress.outbox (
    outbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic     text NOT NULL,
    key       text NOT NULL,
    body      text,
    headers   jsonb NOT NULL
);
CREATE TABLE ingress.message (
    message_id   text PRIMARY KEY,
    package_id   text NOT NULL,
    lane         text NOT NULL,
    kind         text NOT NULL,
    recipients   int NOT NULL,
    accepted_at  timestamptz NOT NULL,
    cancelled_at timestamptz
);
CREATE TABLE ingress.delivery (
    delivery_id        text PRIMARY KEY,
    message_id         text NOT NULL,
    package_id         text NOT NULL,
    lane               text NOT NULL,
    recipient          text NOT NULL,
    status             text NOT NULL,
    stage              int NOT NULL,
    attempt            int NOT NULL,
    turn               bigint NOT NULL,
    at                 timestamptz NOT NULL,
    profile_id         text,
    index              int,
    reason             text,
    failure            text,
    gateway_message_id text,
    sent_at            timestamptz
);
CREATE INDEX delivery_status_of_message ON ingress.delivery (message_id, status);
CREATE INDEX delivery_page_of_message ON ingress.delivery (message_id, delivery_id);
CREATE TABLE ingress.answer (
    route     text NOT NULL,
    key       text NOT NULL,
    body_hash text NOT NULL,
    claim     text NOT NULL,
    taken_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    status    int,
    body      text,
    PRIMARY KEY (route, key)
);
CREATE INDEX answer_by_age ON ingress.answer (taken_at);
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
