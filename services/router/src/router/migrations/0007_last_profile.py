"""Last profile: the cursor of a package is the profile that had the last turn. Only older versions use `next`."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE router.cursor ADD COLUMN last_profile text NOT NULL DEFAULT ''")
