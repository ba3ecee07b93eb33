"""Outbox: the statements that find deliveries whose new state is not published, and mark them as published."""

from sqlalchemy import text

UNPUBLISHED = text("""
SELECT delivery.delivery_id, delivery.message_id, delivery.package_id, profile_id,
       coalesce(given, recipient) AS recipient, index, attempt, tried, state, reason, release, released_at, send_by,
       content, strategy, options, requested_at, traceparent
FROM pacer.delivery JOIN pacer.message USING (message_id)
WHERE NOT announced ORDER BY (state <> 'released'), seq LIMIT :rows FOR UPDATE OF delivery SKIP LOCKED""")
"""The columns of `pacer.core.outbound_events.UnpublishedDelivery`. Releases come first, because thousands of cancelled
deliveries must not delay them."""

MARK_PUBLISHED = text("""
UPDATE pacer.delivery SET announced = true WHERE delivery_id = ANY (CAST(:delivery_ids AS text[]))""")
