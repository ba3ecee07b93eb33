"""0015: an index that finds profiles by their account at a gateway, and one that finds them by phone number."""

from spreader.runtime.migrations.indexes import create_index_concurrently

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    create_index_concurrently("ingress.profile_by_account", "profile ((settings #>> '{gateway,account}'))")
    create_index_concurrently("ingress.profile_by_phone", "profile ((settings ->> 'phone'))")
