"""0006: receipts that arrive before their delivery is known, and indexes that find deliveries by gateway message id."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0006"
down_revision = "0005"

SQL = """
CREATE TABLE ingress.receipt_waiting (
    profile_id         text        NOT NULL,
    gateway_message_id text        NOT NULL,
    status             text        NOT NULL,
    package_id         text        NOT NULL,
    delivery_id        text,
    recipient          text,
    at                 timestamptz NOT NULL,
    failure            text,
    code               text,
    reason             text,
    kept_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (profile_id, gateway_message_id, status)
);
CREATE INDEX receipt_waiting_by_delivery ON ingress.receipt_waiting (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX receipt_waiting_by_recipient ON ingress.receipt_waiting (profile_id, recipient)
    WHERE recipient IS NOT NULL;
CREATE INDEX receipt_waiting_by_age ON ingress.receipt_waiting (kept_at);
COMMENT ON TABLE ingress.receipt_waiting IS
    'What gateways reported of messages that are not known yet. status sent, with a recipient: an echo, that is a
     message which the gateway took through its API. kept_at is the machine''s time, at the gateway''s own.';
"""


AT_GATEWAY = "delivery (profile_id, gateway_message_id) WHERE gateway_message_id IS NOT NULL"
WITHOUT_NAME = """delivery (profile_id, recipient)
    WHERE gateway_message_id IS NULL AND (status IN ('unknown', 'released') OR lane = 'reply' AND stage = 0)"""


def upgrade() -> None:
    create_index_concurrently("ingress.delivery_at_gateway", AT_GATEWAY)
    create_index_concurrently("ingress.delivery_without_name", WITHOUT_NAME)
    for statement in statements(SQL):
        op.execute(statement)
