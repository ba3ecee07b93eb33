"""Migration 0005: a claim whose call has not begun."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0005"
down_revision = "0004"

# Existing rows satisfy the new constraint, because the old one was narrower. NOT VALID skips the check of these rows,
# which would read the whole table.
SQL = """
ALTER TABLE sender.delivery
    ADD COLUMN uncalled int NOT NULL DEFAULT 0,
    DROP CONSTRAINT delivery_state_check,
    ADD CONSTRAINT delivery_state_check CHECK (state IN ('ready', 'claimed', 'sending', 'settled')) NOT VALID;
COMMENT ON COLUMN sender.delivery.state IS
    'ready: may be claimed from due_at on. claimed: claimed until due_at, its call has not begun, so the delivery was
     certainly not sent. sending: its call may have begun; after due_at it is claimed in doubt. The previous version
     writes sending when it claims, so its claims count as begun. settled: at due_at.';
COMMENT ON COLUMN sender.delivery.uncalled IS
    'The number of the claim whose call has not begun. It counts only if it is the newest claim: the previous version
     does not write it.';
"""


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
