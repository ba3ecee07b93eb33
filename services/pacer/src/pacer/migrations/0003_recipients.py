"""Recipients first in their index, so that it is no second way to a profile's queue: that one is read in order."""

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
