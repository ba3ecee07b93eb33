"""0011: when a package was removed, and for which of its versions a removal and a tombstone were published."""

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
    """An older ingress that removes a package leaves `announced` as it is. Then a newer ingress publishes the
    removal."""
    for statement in statements(SQL):
        op.execute(statement)
