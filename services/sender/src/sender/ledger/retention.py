"""Retention: how long the sender keeps settled deliveries, cancellations, uploads and checked numbers."""

from datetime import timedelta

from spreader.runtime.retention import OldRows

_UNSETTLED = """cancellation.message_id IN (
    SELECT delivery.message_id FROM sender.delivery
    WHERE delivery.lane = 'open' AND delivery.state <> 'settled' AND delivery.message_id IS NOT NULL)"""
"""Reads the unsettled deliveries once for each piece. There are few, and they have an index."""


def old_rows(keep: timedelta, upload_valid_for: timedelta, number_valid_for: timedelta) -> tuple[OldRows, ...]:
    """A cancellation is kept for as long as an unsettled delivery may need it, even after the sender was away for
    long."""
    return (
        OldRows("sender.delivery", "due_at", keep, where="state = 'settled'"),
        OldRows("sender.cancellation", "noted_at", keep, needed=_UNSETTLED),
        OldRows("sender.upload", "uploaded_at", upload_valid_for),
        OldRows("sender.number", "checked_at", number_valid_for, is_system_time=True),
        OldRows("sender.number_pace", "free_at", timedelta(days=1), is_system_time=True),
    )
