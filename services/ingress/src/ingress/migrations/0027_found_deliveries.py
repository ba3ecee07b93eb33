"""0027: indexes by which messages and deliveries are found later."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0027"
down_revision = "0026"

NEWEST_FIRST = "coalesce(requested_at, at) DESC, delivery_id DESC"


def upgrade() -> None:
    create_index_concurrently("ingress.message_tags", "message USING gin (tags jsonb_path_ops)")
    create_index_concurrently("ingress.message_resend", "message (resend_of) WHERE resend_of IS NOT NULL")
    create_index_concurrently("ingress.delivery_newest", f"delivery ({NEWEST_FIRST})")
    create_index_concurrently("ingress.delivery_newest_of_package", f"delivery (package_id, {NEWEST_FIRST})")
    create_index_concurrently("ingress.delivery_newest_of_profile", f"delivery (profile_id, {NEWEST_FIRST})")
    create_index_concurrently(
        "ingress.delivery_unusual",
        f"delivery (status, {NEWEST_FIRST}) WHERE status NOT IN ('sent', 'delivered', 'read')",
    )
