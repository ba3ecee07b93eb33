"""0009: keeps two reports of one failure if their codes differ. Only a report with a code says why the message
failed."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0009"
down_revision = "0008"

SQL = """
ALTER TABLE ingress.receipt_waiting DROP CONSTRAINT receipt_waiting_pkey;
ALTER TABLE ingress.receipt_waiting ADD CONSTRAINT receipt_waiting_once
    UNIQUE NULLS NOT DISTINCT (profile_id, gateway_message_id, status, code);
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
