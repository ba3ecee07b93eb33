"""Own events: whether a profile waits for an answer to its own release, for an operator, or for its health.

The previous version of the pacer does not set this column. Then such a profile is looked at again after five minutes at
the latest.
"""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("ALTER TABLE pacer.profile ADD COLUMN awaits_own_event boolean NOT NULL DEFAULT false")
