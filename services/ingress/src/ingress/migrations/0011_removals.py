"""0011: when a package was removed. `announced`: the version whose removal was published. `forgotten`: the version
whose tombstone was published."""

from alembic import op

from spreader.runtime.postgres import statements

revision = "0011"
down_revision = "0010"

SQL = """
ALTER TABLE ingress.package_gone ADD COLUMN removed_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE ingress.package_gone ALTER removed_at SET DEFAULT clock_timestamp();
ALTER TABLE ingress.package_gone ADD COLUMN announced bigint;
ALTER TABLE ingress.package_gone ADD COLUMN forgotten bigint;
"""


def upgrade() -> None:
    """An older ingress does not set `announced` when it removes a package. So a newer ingress publishes the removal
    once more."""
    for statement in statements(SQL):
        op.execute(statement)
