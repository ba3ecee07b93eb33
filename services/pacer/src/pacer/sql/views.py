"""Statements of the views: what forecasts and explanations read, and how much is held. They change nothing."""

from sqlalchemy import text

from pacer.sql.contacts import COLD

HELD = text("""
SELECT asked.profile_id, asked.assigned_until, counted.deliveries
FROM (SELECT * FROM pacer.profile WHERE profile_id = ANY (CAST(:profile_ids AS text[]))) AS asked
CROSS JOIN LATERAL (SELECT count(*) AS deliveries FROM (
    SELECT 1 FROM pacer.delivery WHERE delivery.profile_id = asked.profile_id AND state = 'held'
    LIMIT :count_max) AS waiting) AS counted""")

PAST_RELEASES = text("""
SELECT profile_id, least(effective_at, :now) AS at FROM pacer.release
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND effective_at > CAST(:now AS timestamptz) - interval '28 hours'
ORDER BY effective_at""")
"""Of a day, and of the longest slack: 8 % of a base gap, which is a day or so at most."""

PACKAGE_RELEASES = text("""
SELECT least(effective_at, :now) AS at FROM pacer.release
WHERE package_id = :package_id AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'""")

UNANSWERED = text("""
SELECT profile_id, least(opened_at, :now) AS at FROM pacer.contact
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND unanswered
  AND opened_at > CAST(:now AS timestamptz) - interval '30 days' ORDER BY opened_at""")

QUEUE_PARTS = text("""
SELECT profile_id, rank, cold,
       CASE WHEN not_before <= :now THEN CAST(:now AS timestamptz) ELSE date_trunc('hour', not_before) END AS since,
       count(*) AS deliveries
FROM pacer.delivery
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND state = 'held'
  AND message_id IS DISTINCT FROM CAST(:message_id AS text)
GROUP BY 1, 2, 3, 4""")

GONE = text("""
SELECT profile_id, count(*) AS deliveries FROM pacer.delivery
WHERE message_id = CAST(:message_id AS text) AND state <> 'held' GROUP BY profile_id""")

PROFILES = text("""
SELECT profile_id, package_id, releases, last_release, position, look_at FROM pacer.profile
WHERE profile_id = ANY (CAST(:profile_ids AS text[]))""")

USED = text("""
SELECT profile_id, count(*) FILTER (WHERE effective_at > CAST(:now AS timestamptz) - interval '1 hour') AS hour,
       count(*) FILTER (WHERE effective_at > CAST(:now AS timestamptz) - interval '3 hours') AS three_hours,
       count(*) AS day, count(*) FILTER (WHERE cold) AS contacts
FROM pacer.release
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
GROUP BY profile_id""")

DELIVERY = text(
    """
SELECT delivery.*, message.options, message.requested_at,
       """
    + COLD
    + """ AS is_cold, lately.at AS full_since,
       (SELECT count(*) FROM (
            SELECT 1 FROM pacer.delivery AS other
            WHERE other.profile_id = delivery.profile_id AND other.state = 'held'
              AND (other.rank, other.not_before, other.seq) < (delivery.rank, delivery.not_before, delivery.seq)
            LIMIT :count_max) AS ahead) AS ahead
FROM pacer.delivery JOIN pacer.message USING (message_id)
LEFT JOIN pacer.contact ON contact.profile_id = delivery.profile_id AND contact.recipient = delivery.recipient
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.package_id = delivery.package_id AND release.recipient = delivery.recipient
      AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
    ORDER BY effective_at DESC OFFSET :per_recipient - 1 LIMIT 1) AS lately ON CAST(:per_recipient AS int) > 0
WHERE delivery_id = :delivery_id"""
)

DELIVERY_PLACE = text("SELECT package_id, profile_id, state FROM pacer.delivery WHERE delivery_id = :delivery_id")

QUEUE = text("""
SELECT count(*) AS held, count(*) FILTER (WHERE not_before <= :now) AS due
FROM pacer.delivery WHERE state = 'held'""")

STATES = text("SELECT state, count(*) AS deliveries FROM pacer.delivery GROUP BY state")
