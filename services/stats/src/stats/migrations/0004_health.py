"""Health: closures, reported account statuses, conditions, automatic changes and alerts."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0004"
down_revision = "0003"

# Existing signs become closures of the same length: 6 hours for the open lane, 10 minutes for replies.
TABLES = """
CREATE TABLE stats.closure (
    profile_id text        NOT NULL,
    lane       text        NOT NULL,
    kind       text        NOT NULL,
    since      timestamptz NOT NULL,
    until      timestamptz,
    strikes    int         NOT NULL,
    evidence   text        NOT NULL,
    PRIMARY KEY (profile_id, lane, kind)
);
INSERT INTO stats.closure (profile_id, lane, kind, since, until, strikes, evidence)
SELECT profile_id, lane, 'profile', at,
       at + CASE lane WHEN 'open' THEN interval '6 hours' ELSE interval '10 minutes' END, 1, evidence
FROM stats.sign;
DROP TABLE stats.sign;
CREATE TABLE stats.report (
    profile_id text PRIMARY KEY,
    session    text,
    session_at timestamptz,
    quality    text,
    quality_at timestamptz,
    quota      jsonb,
    quota_at   timestamptz
);
CREATE TABLE stats.condition (
    profile_id   text PRIMARY KEY,
    health       jsonb            NOT NULL,
    risks        jsonb            NOT NULL,
    paused_at    timestamptz,
    factor       double precision NOT NULL,
    factor_cause text,
    halved_at    timestamptz,
    stepped_at   timestamptz,
    signalled_at timestamptz      NOT NULL,
    at           timestamptz      NOT NULL
);
CREATE TABLE stats.change (
    change_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id text        NOT NULL,
    at         timestamptz NOT NULL,
    what       text        NOT NULL,
    before     text        NOT NULL,
    after      text        NOT NULL,
    cause      text        NOT NULL
);
CREATE INDEX change_profile ON stats.change (profile_id, change_id);
CREATE INDEX change_age ON stats.change USING brin (at);
CREATE TABLE stats.alert (
    alert_id        text PRIMARY KEY,
    profile_id      text        NOT NULL,
    package_id      text        NOT NULL,
    kind            text        NOT NULL,
    severity        text        NOT NULL,
    evidence        text        NOT NULL,
    raised_at       timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    cleared_at      timestamptz,
    changed_at      timestamptz NOT NULL,
    told            text        NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX alert_open ON stats.alert (profile_id, kind) WHERE cleared_at IS NULL;
CREATE INDEX alert_package ON stats.alert (package_id, alert_id);
CREATE INDEX alert_changed ON stats.alert (changed_at);
CREATE INDEX alert_untold ON stats.alert (alert_id)
    WHERE told <> CASE WHEN cleared_at IS NOT NULL THEN 'cleared'
                       WHEN acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE 'raised' END;
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
