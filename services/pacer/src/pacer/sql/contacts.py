"""Statements about contacts: whom a profile has spoken to, who answered, who reads when, and who is cold."""

from sqlalchemy import text

COLD = """(contact.recipient IS NULL
        OR coalesce(contact.last_release, '-infinity') < CAST(:now AS timestamptz) - interval '30 days'
       AND coalesce(contact.wrote_at, '-infinity') < CAST(:now AS timestamptz) - interval '28 days')"""
"""A cold contact: the profile has not spoken to it for 30 days, nor has it written to the profile for 28."""

STILL_HELD = "delivery.state || '' = 'held'"
"""Said so that no index over what is held answers it: the statement's own key finds its rows. After a large intake the
statistics do not know yet how much is held, and with `state = 'held'` the planner would read it all for a few rows."""

CONTACT_WROTE = text("""
INSERT INTO pacer.contact AS known (profile_id, recipient, wrote_at)
SELECT profile_id, recipient, max(at)
FROM unnest(CAST(:profile_ids AS text[]), CAST(:recipients AS text[]), CAST(:ats AS timestamptz[]))
     AS wrote (profile_id, recipient, at) GROUP BY profile_id, recipient ORDER BY profile_id, recipient
ON CONFLICT (profile_id, recipient) DO UPDATE
SET wrote_at = greatest(known.wrote_at, excluded.wrote_at), unanswered = false""")

DELIVERY_WARM = text(f"""
UPDATE pacer.delivery SET cold = false
WHERE delivery_id = ANY (ARRAY(
    SELECT found.delivery_id
    FROM unnest(CAST(:profile_ids AS text[]), CAST(:recipients AS text[])) AS known (profile_id, recipient)
    CROSS JOIN LATERAL (
        SELECT delivery_id FROM pacer.delivery
        WHERE delivery.profile_id = known.profile_id AND delivery.recipient = known.recipient
          AND state = 'held' AND cold OFFSET 0) AS found)) AND {STILL_HELD} AND cold""")

HABIT_READ = text("""
INSERT INTO pacer.habit AS known (package_id, recipient, hour, readings)
SELECT package_id, recipient, hour, count(*)
FROM unnest(CAST(:package_ids AS text[]), CAST(:recipients AS text[]), CAST(:hours AS smallint[]))
     AS reading (package_id, recipient, hour) GROUP BY package_id, recipient, hour ORDER BY package_id, recipient, hour
ON CONFLICT (package_id, recipient, hour) DO UPDATE SET readings = known.readings + excluded.readings""")

HABITS = text("""
SELECT recipient, hour, readings FROM pacer.habit
WHERE package_id = :package_id AND recipient = ANY (CAST(:recipients AS text[]))""")

REFILE = text(f"""
UPDATE pacer.delivery SET cold = chosen.cold
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:colds AS boolean[])) AS chosen (delivery_id, cold)
WHERE delivery.delivery_id = chosen.delivery_id AND {STILL_HELD}""")

CONTACT_RELEASED = text("""
INSERT INTO pacer.contact AS known (profile_id, recipient, opened_at, last_release, unanswered)
SELECT profile_id, recipient, CASE WHEN cold THEN CAST(:now AS timestamptz) END, :now, cold
FROM unnest(CAST(:profile_ids AS text[]), CAST(:recipients AS text[]), CAST(:colds AS boolean[]))
     AS released (profile_id, recipient, cold)
ON CONFLICT (profile_id, recipient) DO UPDATE
SET opened_at = coalesce(excluded.opened_at, known.opened_at), last_release = excluded.last_release,
    unanswered = known.unanswered OR excluded.unanswered""")

CONTACT_SETTLE = text("""
UPDATE pacer.contact SET opened_at = :now
FROM unnest(CAST(:profile_ids AS text[]), CAST(:releases AS bigint[])) AS answered (profile_id, number)
JOIN pacer.release ON release.profile_id = answered.profile_id AND release.number = answered.number AND release.cold
WHERE contact.profile_id = release.profile_id AND contact.recipient = release.recipient
  AND contact.opened_at = release.released_at""")
"""A cold contact counts from the gateway's answer on, like every release."""
