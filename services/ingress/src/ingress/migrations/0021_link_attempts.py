"""0021: accounts that are being linked, and webhooks that are being verified."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0021"
down_revision = "0020"

SQL = """
CREATE TABLE ingress.link_attempt (
    profile_id  text        PRIMARY KEY,
    method      text        NOT NULL,
    began_at    timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    sealed_code text,
    asked_until timestamptz
);
CREATE INDEX link_attempt_age ON ingress.link_attempt (expires_at);
COMMENT ON COLUMN ingress.link_attempt.sealed_code IS 'The code to enter on the phone, encrypted.';
COMMENT ON COLUMN ingress.link_attempt.asked_until IS 'Until then, one process asks the gateway for a code.';
CREATE TABLE ingress.webhook_check (
    profile_id  text        PRIMARY KEY,
    began_at    timestamptz NOT NULL,
    received_at timestamptz
);
CREATE INDEX webhook_check_age ON ingress.webhook_check (began_at);
COMMENT ON TABLE ingress.webhook_check IS
    'Webhooks that an operator verifies. received_at: when the gateway first called after began_at.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
