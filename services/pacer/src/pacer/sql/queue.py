"""Statements of the queue: hold, release, settle, tell. Moments are the system's, worked out from the database's.

Contacts, stops, views and wakings have files of their own beside this one.
"""

from sqlalchemy import text

from pacer.sql.contacts import COLD, STILL_HELD

WALL = text("SELECT clock_timestamp()")

# --- intake ---------------------------------------------------------------------------------------------------------

MESSAGE_INSERT = text("""
INSERT INTO pacer.message (message_id, package_id, content, options, requested_at, traceparent)
VALUES (:message_id, :package_id, :content, :options, :requested_at, :traceparent)
ON CONFLICT DO NOTHING""")

# Given back and assigned anew: what a gateway has put off until a moment waits for it on the next profile, too.
DELIVERY_TAKE = text(
    """
INSERT INTO pacer.delivery AS held (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried,
                                    rank, cold, asked_at, not_before, timing, expires_at, state, announced, reason)
SELECT taken.delivery_id, taken.message_id, taken.package_id, taken.profile_id, taken.recipient, taken.index,
       taken.attempt, string_to_array(taken.tried, ','), taken.rank, """
    + COLD
    + """, taken.not_before,
       taken.not_before, taken.timing, coalesce(taken.expires_at, 'infinity'),
       CASE WHEN cancellation.message_id IS NOT NULL THEN 'cancelled' WHEN suppression.reason IS NOT NULL
            THEN 'suppressed' ELSE 'held' END,
       cancellation.message_id IS NULL AND suppression.reason IS NULL,
       CASE WHEN cancellation.message_id IS NULL THEN suppression.reason END
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:message_ids AS text[]), CAST(:package_ids AS text[]),
            CAST(:profile_ids AS text[]), CAST(:recipients AS text[]), CAST(:indexes AS int[]),
            CAST(:attempts AS int[]), CAST(:trieds AS text[]), CAST(:ranks AS smallint[]),
            CAST(:not_befores AS timestamptz[]), CAST(:timings AS text[]), CAST(:expires_ats AS timestamptz[]))
     WITH ORDINALITY
     AS taken (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried, rank, not_before,
               timing, expires_at, place)
LEFT JOIN pacer.cancellation USING (message_id)
LEFT JOIN pacer.contact ON contact.profile_id = taken.profile_id AND contact.recipient = taken.recipient
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(kind = 'suppression') THEN CAST(:suppressed AS text)
                WHEN bool_or(kind = 'opt_in') IS NOT TRUE AND taken.package_id = ANY (CAST(:opted_in_only AS text[]))
                THEN CAST(:not_opted_in AS text) END AS reason
    FROM pacer.consent
    WHERE consent.recipient = taken.recipient AND consent.package_id IN (taken.package_id, '*')) AS suppression
ORDER BY taken.place
ON CONFLICT (delivery_id) DO UPDATE
SET profile_id = excluded.profile_id, attempt = excluded.attempt, tried = excluded.tried, rank = excluded.rank,
    cold = excluded.cold, asked_at = greatest(excluded.asked_at, held.asked_at),
    not_before = greatest(excluded.not_before, held.asked_at), timing = excluded.timing,
    put_off_by = NULL, state = excluded.state, announced = excluded.announced, release = NULL,
    reason = excluded.reason, changed_at = clock_timestamp()
WHERE held.attempt < excluded.attempt
RETURNING delivery_id"""
)

PROFILE_WAKE_OR_INSERT = text("""
INSERT INTO pacer.profile AS known (profile_id, package_id, assigned_until, look_at)
SELECT profile_id, package_id, assigned_at, '-infinity'
FROM unnest(CAST(:profile_ids AS text[]), CAST(:package_ids AS text[]), CAST(:assigned_ats AS timestamptz[]))
     AS told (profile_id, package_id, assigned_at)
ORDER BY profile_id
ON CONFLICT (profile_id) DO UPDATE SET package_id = excluded.package_id, look_at = '-infinity',
    assigned_until = greatest(known.assigned_until, excluded.assigned_until)""")

PACKAGE_INSERT = text("""
INSERT INTO pacer.package (package_id) SELECT unnest(CAST(:package_ids AS text[])) ON CONFLICT DO NOTHING""")

# --- the release loop -----------------------------------------------------------------------------------------------

DUE = text("""
SELECT profile_id, package_id, releases, last_release, position, look_at FROM pacer.profile
WHERE look_at <= :now ORDER BY look_at LIMIT :profiles FOR UPDATE SKIP LOCKED""")

NEXT_LOOK = text("SELECT min(look_at) FROM pacer.profile")

PACKAGES_LOCK = text("""
SELECT package_id FROM pacer.package WHERE package_id = ANY (CAST(:package_ids AS text[]))
ORDER BY package_id FOR UPDATE""")
PACKAGES_STAND = text("""
SELECT package_id FROM pacer.package WHERE package_id = ANY (CAST(:package_ids AS text[]))
ORDER BY package_id FOR SHARE""")
"""Waits for the turns under way that have counted over these packages."""

AT_GATEWAY = text("""
SELECT package_id, count(*) AS releases FROM pacer.release
WHERE package_id = ANY (CAST(:package_ids AS text[])) AND effective_at = 'infinity' GROUP BY package_id""")

_NEWEST = """
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND {cold}
          effective_at > CAST(:now AS timestamptz) - interval '{span}' - asked.slack
    ORDER BY effective_at DESC OFFSET asked.{limit} - 1 LIMIT 1) AS {name} ON {known}"""
_ALWAYS = {"cold": "", "known": "true"}

FACTS = text(
    """
SELECT asked.profile_id, waiting.deliveries AS waiting, lately.releases AS lately,
       hour.at AS hour, three_hours.at AS three_hours,
       CASE WHEN filling.first > CAST(:now AS timestamptz) - interval '24 hours' - asked.slack
            THEN filling.first END AS day,
       pair.first, pair.second, pair.places,
       contacts.at AS contacts, unanswered.at AS unanswered
FROM unnest(CAST(:profile_ids AS text[]), CAST(:per_hours AS int[]), CAST(:per_3_hours AS int[]),
            CAST(:per_days AS int[]), CAST(:new_contacts AS int[]), CAST(:unanswereds AS int[]),
            CAST(:slacks AS interval[]), CAST(:rush_overs AS int[]))
     AS asked (profile_id, per_hour, per_3_hours, per_day, new_contacts, unanswered, slack, rush_over)
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries FROM (
        SELECT 1 FROM (VALUES (0, false), (0, true), (1, false), (1, true)) AS part (rank, cold)
        CROSS JOIN LATERAL (
            SELECT 1 FROM pacer.delivery
            WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND delivery.rank = part.rank
              AND delivery.cold = part.cold AND not_before <= :now
            LIMIT asked.rush_over + 1) AS of_part
        LIMIT asked.rush_over + 1) AS due) AS waiting
LEFT JOIN pacer.profile ON profile.profile_id = asked.profile_id
CROSS JOIN LATERAL (
    SELECT count(*) AS releases FROM pacer.release
    WHERE release.profile_id = asked.profile_id
      AND effective_at > coalesce(profile.last_release, :now) - interval '2 hours') AS lately
LEFT JOIN LATERAL (
    SELECT min(effective_at) AS first, max(effective_at) AS second,
           asked.per_day > 1 AND min(effective_at) > profile.last_release - interval '24 hours' AS is_full
    FROM (
        SELECT effective_at FROM pacer.release
        WHERE release.profile_id = asked.profile_id
          AND effective_at > least(CAST(:now AS timestamptz) - asked.slack, profile.last_release) - interval '24 hours'
        ORDER BY effective_at DESC OFFSET greatest(asked.per_day - 2, 0) LIMIT least(asked.per_day, 2)) AS last
    HAVING count(*) = least(asked.per_day, 2)) AS filling ON true
LEFT JOIN LATERAL (
    SELECT filling.first, filling.second, count(*) AS places FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND effective_at > profile.last_release - interval '24 hours'
      AND effective_at <= profile.last_release - interval '21 hours'
      AND filling.is_full) AS pair ON filling.is_full"""
    + _NEWEST.format(name="hour", span="1 hour", limit="per_hour", **_ALWAYS)
    + _NEWEST.format(name="three_hours", span="3 hours", limit="per_3_hours", **_ALWAYS)
    + _NEWEST.format(
        name="contacts", span="24 hours", limit="new_contacts", cold="cold AND", known="asked.new_contacts > 0"
    )
    + """
LEFT JOIN LATERAL (
    SELECT opened_at AS at FROM pacer.contact
    WHERE contact.profile_id = asked.profile_id AND contact.unanswered
      AND opened_at > CAST(:now AS timestamptz) - interval '30 days' - asked.slack
    ORDER BY opened_at DESC OFFSET asked.unanswered - 1 LIMIT 1) AS unanswered ON asked.unanswered > 0"""
)
"""Of each limit the release that fills it: the limit-th newest one within its window and the slack after it; none:
there is room. `first`, `second` and `places` are there where the last release left no room in the day."""

PACKAGE_DAY = text("""
SELECT asked.package_id, day.releases, day.oldest
FROM unnest(CAST(:package_ids AS text[]), CAST(:per_days AS int[])) AS asked (package_id, per_day)
CROSS JOIN LATERAL (
    SELECT count(*) AS releases, min(effective_at) AS oldest FROM (
        SELECT effective_at FROM pacer.release
        WHERE release.package_id = asked.package_id AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
        ORDER BY effective_at DESC LIMIT asked.per_day) AS newest) AS day""")

HEADS = text(
    """
SELECT head.profile_id, head.delivery_id, head.recipient, head.rank, head.not_before, head.cold AS filed_cold,
       """
    + COLD
    + """ AS cold, lately.at AS full_since
FROM unnest(CAST(:profile_ids AS text[]), CAST(:per_recipients AS int[])) AS asked (profile_id, per_recipient)
CROSS JOIN (VALUES (0, false), (0, true), (1, false), (1, true)) AS part (rank, cold)
CROSS JOIN LATERAL (
    SELECT * FROM pacer.delivery
    WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND delivery.rank = part.rank
      AND delivery.cold = part.cold
    ORDER BY not_before, seq LIMIT :heads) AS head
LEFT JOIN pacer.contact ON contact.profile_id = head.profile_id AND contact.recipient = head.recipient
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.package_id = head.package_id AND release.recipient = head.recipient
      AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
    ORDER BY effective_at DESC OFFSET asked.per_recipient - 1 LIMIT 1) AS lately ON asked.per_recipient > 0
ORDER BY head.not_before, head.seq"""
)
"""In the order of the queue once more: a join with a long table of contacts may lose that of the heads."""

DELIVERY_RELEASE = text(f"""
UPDATE pacer.delivery SET state = 'released', announced = false, release = chosen.release, released_at = :now,
                          send_by = chosen.send_by, first_released_at = coalesce(first_released_at, :now),
                          changed_at = clock_timestamp()
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:releases AS bigint[]), CAST(:send_bys AS timestamptz[]))
     AS chosen (delivery_id, release, send_by)
WHERE delivery.delivery_id = chosen.delivery_id AND {STILL_HELD}
RETURNING delivery.delivery_id, delivery.profile_id, delivery.package_id, delivery.release, delivery.recipient""")

PUT_OFF = text(f"""
UPDATE pacer.delivery SET not_before = chosen.until, put_off_by = chosen.bound
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:untils AS timestamptz[]), CAST(:bounds AS text[]))
     AS chosen (delivery_id, until, bound)
WHERE delivery.delivery_id = chosen.delivery_id AND {STILL_HELD}""")

RELEASE_INSERT = text("""
INSERT INTO pacer.release (profile_id, number, package_id, delivery_id, recipient, cold, released_at)
SELECT made.profile_id, made.number, made.package_id, made.delivery_id, made.recipient, made.cold, :now
FROM unnest(CAST(:profile_ids AS text[]), CAST(:numbers AS bigint[]), CAST(:package_ids AS text[]),
            CAST(:delivery_ids AS text[]), CAST(:recipients AS text[]), CAST(:colds AS boolean[]))
     AS made (profile_id, number, package_id, delivery_id, recipient, cold)""")

PROFILE_RELEASED = text("""
UPDATE pacer.profile SET releases = releases + 1, last_release = :now, position = random()
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) RETURNING profile_id, releases""")

PROFILE_LOOKED = text("""
UPDATE pacer.profile SET look_at = coalesce(looked.look_at, 'infinity'), awaits_answer = looked.awaits_answer
FROM unnest(CAST(:profile_ids AS text[]), CAST(:look_ats AS timestamptz[]), CAST(:awaits AS boolean[]))
     AS looked (profile_id, look_at, awaits_answer)
WHERE profile.profile_id = looked.profile_id""")

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
    not_before = coalesce(answered.not_before, delivery.not_before),
    asked_at = coalesce(answered.not_before, delivery.asked_at), put_off_by = NULL, reason = answered.reason,
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

DELETE_OLD = (
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
    text("""
DELETE FROM pacer.contact WHERE (profile_id, recipient) IN (
    SELECT profile_id, recipient FROM pacer.contact
    WHERE greatest(last_release, wrote_at) < CAST(:now AS timestamptz) - interval '180 days' LIMIT :rows)"""),
)
