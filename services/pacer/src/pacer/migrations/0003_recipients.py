"""Recipients: their index begins with the recipient, so that the planner does not use it to read a profile's queue."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0003"
down_revision = "0002"

TABLES = """
DROP INDEX pacer.delivery_recipient;
CREATE INDEX delivery_recipient ON pacer.delivery (recipient, profile_id) WHERE state = 'held';
"""


def upgrade() -> None:
    for statement in statements(TABLES):
        op.execute(statement)
