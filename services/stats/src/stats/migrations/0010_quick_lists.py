"""Quick lists: indexes of open alerts, of the alerts of a profile, of published alerts, and of the newest messages.

A message has a row for each profile and lane. The index `message_first` finds the first of these rows.
"""

from spreader.runtime.migrations.indexes import create_index_concurrently, drop_index_concurrently

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    create_index_concurrently("stats.alert_open_newest", "alert (alert_id) WHERE cleared_at IS NULL")
    create_index_concurrently("stats.alert_open_package", "alert (package_id, alert_id) WHERE cleared_at IS NULL")
    create_index_concurrently("stats.alert_profile", "alert (profile_id, alert_id)")
    create_index_concurrently("stats.alert_published", "alert (position)")
    create_index_concurrently("stats.message_first", "message (message_id, first_at, profile_id, lane)")
    create_index_concurrently("stats.message_newest", "message (first_at, message_id)")
    create_index_concurrently("stats.message_newest_of_package", "message (package_id, first_at, message_id)")
    for name in ("message_by_age", "message_package"):  # the two new indexes begin with the same columns
        drop_index_concurrently(f"stats.{name}")
