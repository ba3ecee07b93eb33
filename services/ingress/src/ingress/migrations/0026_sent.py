"""0026: what was sent and by whom, when deliveries arrived, and indexes for lists of deliveries."""

from alembic import op

from spreader.runtime.migrations.indexes import create_index_concurrently
from spreader.runtime.postgres import statements

revision = "0026"
down_revision = "0025"

SQL = """
ALTER TABLE ingress.message ADD COLUMN name text;
ALTER TABLE ingress.message ADD COLUMN tags jsonb NOT NULL DEFAULT '[]';
ALTER TABLE ingress.message ADD COLUMN content jsonb;
ALTER TABLE ingress.message ADD COLUMN sent_by jsonb;
ALTER TABLE ingress.message ADD COLUMN resend_of text;
ALTER TABLE ingress.delivery ADD COLUMN requested_at timestamptz;
ALTER TABLE ingress.delivery ADD COLUMN delivered_at timestamptz;
ALTER TABLE ingress.delivery ADD COLUMN read_at timestamptz;
ALTER TABLE ingress.delivery ADD COLUMN resent_as text;
"""
NEWEST_FIRST = "coalesce(requested_at, at) DESC, delivery_id DESC"


def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
    create_index_concurrently("ingress.message_tags", "message USING gin (tags jsonb_path_ops)")
    create_index_concurrently("ingress.message_resend", "message (resend_of) WHERE resend_of IS NOT NULL")
    create_index_concurrently("ingress.delivery_newest", f"delivery ({NEWEST_FIRST})")
    create_index_concurrently("ingress.delivery_newest_of_package", f"delivery (package_id, {NEWEST_FIRST})")
    create_index_concurrently("ingress.delivery_newest_of_profile", f"delivery (profile_id, {NEWEST_FIRST})")
    create_index_concurrently(
        "ingress.delivery_unusual",
        f"delivery (status, {NEWEST_FIRST}) WHERE status NOT IN ('sent', 'delivered', 'read')",
    )
