"""Counts: the counts of profiles and packages by minute and hour, and the sent deliveries and contacts behind them."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0003"
down_revision = "0002"

MORE = ["acknowledged", "answered", "new_contacts", "unanswered", "arrived", "night"]
COUNTS = ["sent", "delivered", "read", "failed", "received", *MORE]

PROFILES = """
ALTER TABLE stats.minute RENAME COLUMN minute TO at;
ALTER TABLE stats.minute ADD COLUMN package_id text NOT NULL DEFAULT '';
"""

# BRIN indexes, because rows are inserted in the order of their age, and only the retention selects by age.
ROLLUP = """
CREATE TABLE stats.{name} (
    {who} text        NOT NULL,
    at    timestamptz NOT NULL,
    lane  text        NOT NULL,
    {package}
    {counts},
    PRIMARY KEY ({who}, at, lane)
) WITH (fillfactor = 80);
CREATE INDEX {name}_age ON stats.{name} USING brin (at);
"""
FAILURE = """
CREATE TABLE stats.{name}_failure (
    {who}   text        NOT NULL,
    at      timestamptz NOT NULL,
    lane    text        NOT NULL,
    failure text        NOT NULL,
    {package}
    count   int         NOT NULL,
    PRIMARY KEY ({who}, at, lane, failure)
);
CREATE INDEX {name}_failure_age ON stats.{name}_failure USING brin (at);
"""

# `waits`: neither acknowledged nor failed yet. heard_at is wall time, sent_at is system time.
FACTS = """
CREATE INDEX hour_package ON stats.hour (package_id, at);
ALTER TABLE stats.delivery
    ADD COLUMN profile_id text, ADD COLUMN package_id text, ADD COLUMN message_id text, ADD COLUMN lane text,
    ADD COLUMN sent_at timestamptz, ADD COLUMN heard_at timestamptz, ADD COLUMN waits boolean NOT NULL DEFAULT false,
    ADD COLUMN is_new boolean, ADD COLUMN receives boolean, ADD COLUMN fingerprint text;
CREATE INDEX delivery_sent ON stats.delivery (profile_id, lane, sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX delivery_waits ON stats.delivery (profile_id, heard_at) WHERE waits;
CREATE TABLE stats.refusal (
    event_id text        PRIMARY KEY,
    noted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refusal_age ON stats.refusal USING brin (noted_at);
CREATE TABLE stats.contact (
    profile_id     text NOT NULL,
    recipient      text NOT NULL,
    spoke_at       timestamptz,
    wrote_first_at timestamptz,
    wrote_at       timestamptz,
    asked_at       timestamptz,
    asked_by       text,
    opened_at      timestamptz,
    receives       boolean     NOT NULL DEFAULT false,
    touched_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (profile_id, recipient)
) WITH (fillfactor = 80);
CREATE INDEX contact_age ON stats.contact USING brin (touched_at);
CREATE TABLE stats.message (
    message_id text        NOT NULL,
    profile_id text        NOT NULL,
    lane       text        NOT NULL,
    package_id text        NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    {counts},
    PRIMARY KEY (message_id, profile_id, lane)
) WITH (fillfactor = 80);
CREATE INDEX message_package ON stats.message (package_id, first_at);
CREATE INDEX message_age ON stats.message USING brin (last_at);
"""


def upgrade() -> None:
    package = "package_id text NOT NULL,"
    counts = ",\n    ".join(f"{name} int NOT NULL DEFAULT 0" for name in COUNTS)
    rollups = {"hour": "profile_id", "package_minute": "package_id", "package_hour": "package_id"}
    script = PROFILES + "".join(
        f"ALTER TABLE stats.minute ADD COLUMN {name} int NOT NULL DEFAULT 0;\n" for name in MORE
    )
    for name, who in rollups.items():
        script += ROLLUP.format(name=name, who=who, counts=counts, package=package if who == "profile_id" else "")
    for name, who in {"minute": "profile_id", **rollups}.items():
        script += FAILURE.format(name=name, who=who, package=package if who == "profile_id" else "")
    for statement in statements(script + FACTS.format(counts=counts)):
        op.execute(statement)
