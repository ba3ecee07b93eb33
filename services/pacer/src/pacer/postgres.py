"""Statements: everything that the pacer asks of Postgres. Moments are the system's, worked out from the database's."""

from sqlalchemy import text

WALL = text("SELECT clock_timestamp()")

# --- intake ---------------------------------------------------------------------------------------------------------

MESSAGE_INSERT = text("""
INSERT INTO pacer.message (message_id, package_id, content, options, requested_at, traceparent)
VALUES (:message_id, :package_id, :content, :options, :requested_at, :traceparent)
ON CONFLICT DO NOTHING""")

DELIVERY_TAKE = text("""
INSERT INTO pacer.delivery AS held (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried,
                                    rank, not_before, expires_at, state, announced)
SELECT taken.delivery_id, taken.message_id, taken.package_id, taken.profile_id, taken.recipient, taken.index,
       taken.attempt, string_to_array(taken.tried, ','), taken.rank, taken.not_before,
       coalesce(taken.expires_at, 'infinity'),
       CASE WHEN cancellation.message_id IS NULL THEN 'held' ELSE 'cancelled' END, cancellation.message_id IS NULL
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:message_ids AS text[]), CAST(:package_ids AS text[]),
            CAST(:profile_ids AS text[]), CAST(:recipients AS text[]), CAST(:indexes AS int[]),
            CAST(:attempts AS int[]), CAST(:trieds AS text[]), CAST(:ranks AS smallint[]),
            CAST(:not_befores AS timestamptz[]), CAST(:expires_ats AS timestamptz[]))
     AS taken (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried, rank, not_before,
               expires_at)
LEFT JOIN pacer.cancellation USING (message_id)
ON CONFLICT (delivery_id) DO UPDATE
SET profile_id = excluded.profile_id, attempt = excluded.attempt, tried = excluded.tried, rank = excluded.rank,
    not_before = excluded.not_before, state = excluded.state, announced = excluded.announced, release = NULL,
    reason = NULL, changed_at = clock_timestamp()
WHERE held.attempt < excluded.attempt
RETURNING delivery_id""")

PROFILE_WAKE_OR_INSERT = text("""
INSERT INTO pacer.profile (profile_id, package_id, look_at)
SELECT profile_id, package_id, '-infinity'
FROM unnest(CAST(:profile_ids AS text[]), CAST(:package_ids AS text[])) AS told (profile_id, package_id)
ORDER BY profile_id
ON CONFLICT (profile_id) DO UPDATE SET package_id = excluded.package_id, look_at = '-infinity'""")

PACKAGE_INSERT = text("""
INSERT INTO pacer.package (package_id) SELECT unnest(CAST(:package_ids AS text[])) ON CONFLICT DO NOTHING""")

CANCELLATION_INSERT = text("""
INSERT INTO pacer.cancellation (message_id, at)
SELECT * FROM unnest(CAST(:message_ids AS text[]), CAST(:ats AS timestamptz[])) ON CONFLICT DO NOTHING""")

CANCEL_HELD = text("""
UPDATE pacer.delivery SET state = 'cancelled', announced = false, reason = 'cancelled by the caller',
                          changed_at = clock_timestamp()
WHERE message_id = ANY (CAST(:message_ids AS text[])) AND state = 'held'""")

# --- the release loop -----------------------------------------------------------------------------------------------

DUE = text("""
SELECT profile_id, package_id, releases, last_release, position, look_at FROM pacer.profile
WHERE look_at <= :now ORDER BY look_at LIMIT :profiles FOR UPDATE SKIP LOCKED""")

NEXT_LOOK = text("SELECT min(look_at) FROM pacer.profile")

PACKAGES_LOCK = text("""
SELECT package_id FROM pacer.package WHERE package_id = ANY (CAST(:package_ids AS text[]))
ORDER BY package_id FOR UPDATE""")

AT_GATEWAY = text("""
SELECT package_id, count(*) AS releases FROM pacer.release
WHERE package_id = ANY (CAST(:package_ids AS text[])) AND effective_at = 'infinity' GROUP BY package_id""")

FACTS = text("""
SELECT asked.profile_id, waiting.deliveries AS waiting, lately.releases AS lately,
       hour.at AS hour, three_hours.at AS three_hours, day.at AS day
FROM unnest(CAST(:profile_ids AS text[]), CAST(:per_hours AS int[]), CAST(:per_3_hours AS int[]),
            CAST(:per_days AS int[]), CAST(:rush_overs AS int[]))
     AS asked (profile_id, per_hour, per_3_hours, per_day, rush_over)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries FROM (
        SELECT 1 FROM pacer.delivery
        WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND not_before <= :now
        LIMIT asked.rush_over + 1) AS due) AS waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS releases FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND effective_at > :now - interval '2 hours') AS lately
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND effective_at > :now - interval '1 hour'
    ORDER BY effective_at DESC OFFSET asked.per_hour - 1 LIMIT 1) AS hour ON true
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND effective_at > :now - interval '3 hours'
    ORDER BY effective_at DESC OFFSET asked.per_3_hours - 1 LIMIT 1) AS three_hours ON true
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND effective_at > :now - interval '24 hours'
    ORDER BY effective_at DESC OFFSET asked.per_day - 1 LIMIT 1) AS day ON true""")

PACKAGE_DAY = text("""
SELECT asked.package_id, day.releases, day.oldest
FROM unnest(CAST(:package_ids AS text[]), CAST(:per_days AS int[])) AS asked (package_id, per_day)
CROSS JOIN LATERAL (
    SELECT count(*) AS releases, min(effective_at) AS oldest FROM (
        SELECT effective_at FROM pacer.release
        WHERE release.package_id = asked.package_id AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
        ORDER BY effective_at DESC LIMIT asked.per_day) AS newest) AS day""")

HEADS = text("""
SELECT head.profile_id, head.delivery_id, head.rank, head.not_before
FROM unnest(CAST(:profile_ids AS text[])) AS asked (profile_id), (VALUES (0), (1)) AS ranks (rank)
CROSS JOIN LATERAL (
    SELECT * FROM pacer.delivery
    WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND delivery.rank = ranks.rank
    ORDER BY not_before, seq LIMIT 1) AS head""")

DELIVERY_RELEASE = text("""
UPDATE pacer.delivery SET state = 'released', announced = false, release = chosen.release, released_at = :now,
                          send_by = chosen.send_by, first_released_at = coalesce(first_released_at, :now),
                          changed_at = clock_timestamp()
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:releases AS bigint[]), CAST(:send_bys AS timestamptz[]))
     AS chosen (delivery_id, release, send_by)
WHERE delivery.delivery_id = chosen.delivery_id AND state = 'held'
RETURNING delivery.delivery_id, delivery.profile_id, delivery.package_id, delivery.release""")

RELEASE_INSERT = text("""
INSERT INTO pacer.release (profile_id, number, package_id, delivery_id, released_at)
SELECT made.profile_id, made.number, made.package_id, made.delivery_id, :now
FROM unnest(CAST(:profile_ids AS text[]), CAST(:numbers AS bigint[]), CAST(:package_ids AS text[]),
            CAST(:delivery_ids AS text[])) AS made (profile_id, number, package_id, delivery_id)""")

PROFILE_RELEASED = text("""
UPDATE pacer.profile SET releases = releases + 1, last_release = :now, position = random()
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) RETURNING profile_id, releases""")

PROFILE_LOOKED = text("""
UPDATE pacer.profile SET look_at = coalesce(looked.look_at, 'infinity'), awaits_answer = looked.awaits_answer
FROM unnest(CAST(:profile_ids AS text[]), CAST(:look_ats AS timestamptz[]), CAST(:awaits AS boolean[]))
     AS looked (profile_id, look_at, awaits_answer)
WHERE profile.profile_id = looked.profile_id""")

PACKAGES_WAKE = text("""
UPDATE pacer.profile SET look_at = '-infinity' WHERE profile_id IN (
    SELECT profile_id FROM pacer.profile WHERE package_id = ANY (CAST(:package_ids AS text[]))
    ORDER BY profile_id FOR UPDATE)""")

GIVE_BACK = text("""
UPDATE pacer.delivery SET state = :state, announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id IN (
    SELECT delivery_id FROM pacer.delivery
    WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND state = 'held' LIMIT :rows)""")

# --- answers --------------------------------------------------------------------------------------------------------

RELEASE_SETTLE = text("""
UPDATE pacer.release SET effective_at = :now
FROM unnest(CAST(:profile_ids AS text[]), CAST(:releases AS bigint[])) AS answered (profile_id, number)
WHERE release.profile_id = answered.profile_id AND release.number = answered.number AND effective_at = 'infinity'""")

DELIVERY_SETTLE = text("""
UPDATE pacer.delivery
SET state = CASE WHEN answered.state = 'held' AND (:now >= first_released_at + CAST(:tried_for AS interval)
                                                   OR :now >= expires_at) THEN 'expired' ELSE answered.state END,
    announced = NOT (answered.state = 'held' AND (:now >= first_released_at + CAST(:tried_for AS interval)
                                                  OR :now >= expires_at)),
    not_before = coalesce(answered.not_before, delivery.not_before), reason = answered.reason,
    changed_at = clock_timestamp()
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:attempts AS int[]), CAST(:releases AS bigint[]),
            CAST(:states AS text[]), CAST(:not_befores AS timestamptz[]), CAST(:reasons AS text[]))
     AS answered (delivery_id, attempt, release, state, not_before, reason)
WHERE delivery.delivery_id = answered.delivery_id AND delivery.attempt = answered.attempt
  AND delivery.release = answered.release AND delivery.state = 'released'""")

PROFILES_WAKE = text("""
UPDATE pacer.profile SET look_at = '-infinity' WHERE profile_id IN (
    SELECT profile_id FROM pacer.profile
    WHERE profile_id = ANY (CAST(:profile_ids AS text[]))
       OR (package_id = ANY (CAST(:package_ids AS text[])) AND awaits_answer)
    ORDER BY profile_id FOR UPDATE)""")

# --- news and housekeeping ------------------------------------------------------------------------------------------

NEWS = text("""
SELECT delivery.delivery_id, delivery.message_id, delivery.package_id, profile_id, recipient, index, attempt, tried,
       state, reason, release, released_at, send_by, content, options, requested_at, traceparent
FROM pacer.delivery JOIN pacer.message USING (message_id)
WHERE NOT announced ORDER BY seq LIMIT :rows FOR UPDATE OF delivery SKIP LOCKED""")

TOLD = text("UPDATE pacer.delivery SET announced = true WHERE delivery_id = ANY (CAST(:delivery_ids AS text[]))")

EXPIRE = text("""
UPDATE pacer.delivery SET state = 'expired', announced = false, reason = 'it expired before its release',
                          changed_at = clock_timestamp()
WHERE delivery_id IN (SELECT delivery_id FROM pacer.delivery WHERE state = 'held' AND expires_at <= :now
                      LIMIT :rows FOR UPDATE SKIP LOCKED)""")

FORGET = (
    text("""
DELETE FROM pacer.delivery WHERE delivery_id IN (
    SELECT delivery_id FROM pacer.delivery WHERE state NOT IN ('held', 'released') AND announced
      AND changed_at < clock_timestamp() - interval '8 days' ORDER BY changed_at LIMIT :rows)"""),
    text("""
DELETE FROM pacer.message WHERE message_id IN (
    SELECT message_id FROM pacer.message WHERE noted_at < clock_timestamp() - interval '8 days'
      AND NOT EXISTS (SELECT 1 FROM pacer.delivery WHERE delivery.message_id = message.message_id) LIMIT :rows)"""),
    text("DELETE FROM pacer.cancellation WHERE noted_at < clock_timestamp() - interval '8 days'"),
    text("""
DELETE FROM pacer.release WHERE (profile_id, number) IN (
    SELECT profile_id, number FROM pacer.release
    WHERE effective_at < CAST(:now AS timestamptz) - interval '35 days' LIMIT :rows)"""),
)

# --- forecast -------------------------------------------------------------------------------------------------------

PAST_RELEASES = text("""
SELECT profile_id, least(effective_at, :now) AS at FROM pacer.release
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND effective_at > :now - interval '24 hours'""")

QUEUE_LENGTHS = text("""
SELECT profile_id, count(*) AS deliveries FROM pacer.delivery
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND state = 'held' GROUP BY profile_id""")
