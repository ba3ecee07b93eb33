"""Ages: btree indexes by age. They replace BRIN indexes, which show the age of a page only roughly. With them, each run
of the retention read every page in which new rows had taken the place of old ones."""

from spreader.runtime.migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0007"
down_revision = "0006"

COLUMNS = {
    "minute": "at",
    "minute_failure": "at",
    "package_minute": "at",
    "package_minute_failure": "at",
    "hour": "at",
    "hour_failure": "at",
    "package_hour": "at",
    "package_hour_failure": "at",
    "change": "at",
    "message": "first_at",
    "delivery": "noted_at",
    "refusal": "noted_at",
    "customer_message": "noted_at",
    "contact": "touched_at",
}


def upgrade() -> None:
    for table, column in COLUMNS.items():
        create_index_concurrently(f"stats.{table}_by_age", f"{table} ({column})")
        drop_index_concurrently(f"stats.{table}_age")
    create_index_concurrently("stats.alert_by_age", "alert (cleared_at) WHERE cleared_at IS NOT NULL")
