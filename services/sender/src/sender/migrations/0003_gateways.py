"""Migration 0003: uploaded files, checked numbers, checked profiles, and deliveries that gateways reported."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0003"
down_revision = "0002"

SQL = """
ALTER TABLE sender.delivery
    ADD COLUMN host   text    NOT NULL DEFAULT '',
    ADD COLUMN resent boolean NOT NULL DEFAULT false,
    ADD COLUMN heard  text;
COMMENT ON COLUMN sender.delivery.host IS 'Of the gateway, when it was asked for: one host cannot take all slots.';
COMMENT ON COLUMN sender.delivery.resent IS 'It was sent in doubt, so that it may have arrived twice.';
COMMENT ON COLUMN sender.delivery.heard IS
    'The gateway reported it, under this id of its own (empty: without one): it is not sent again.';
CREATE TABLE sender.upload (
    account     text        NOT NULL,
    sha256      text        NOT NULL,
    type        text        NOT NULL,
    name        text        NOT NULL,
    uploaded_at timestamptz NOT NULL,
    PRIMARY KEY (account, sha256, type)
);
CREATE INDEX upload_oldest ON sender.upload (uploaded_at);
COMMENT ON TABLE sender.upload IS
    'Files that a gateway keeps, by its name for each. Times are of the machine''s clock.';
CREATE TABLE sender.number (
    number     text        PRIMARY KEY,
    is_there   boolean     NOT NULL,
    checked_at timestamptz NOT NULL
);
CREATE TABLE sender.number_pace (
    profile_id text        PRIMARY KEY,
    free_at    timestamptz NOT NULL
);
COMMENT ON TABLE sender.number IS
    'Whether WhatsApp knows a number. Times are of the system''s clock, as in number_pace.';
CREATE TABLE sender.watched (
    profile_id text        PRIMARY KEY,
    package_id text        NOT NULL,
    due_at     timestamptz NOT NULL,
    reported   text        NOT NULL DEFAULT '',
    reported_at timestamptz,
    reports    int         NOT NULL DEFAULT 0
);
CREATE INDEX watched_due ON sender.watched (due_at);
COMMENT ON TABLE sender.watched IS
    'Profiles that are asked about at their gateways, each by whoever takes it first from due_at on (machine''s clock).
     reported: how it stood in the last report, which was the profile''s so-manieth, at that time of the system.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
