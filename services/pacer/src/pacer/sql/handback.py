"""Handback: the statements that take deliveries from a profile, one package at a time."""

from sqlalchemy import text

HAND_BACK = text("""
UPDATE pacer.delivery SET state = :state, announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM pacer.delivery
    WHERE profile_id = :profile_id AND package_id = :package_id AND state = 'held'
    LIMIT :rows FOR UPDATE SKIP LOCKED))""")

FORMER_PACKAGES = text("""
SELECT DISTINCT delivery.package_id FROM pacer.delivery JOIN pacer.profile USING (profile_id)
WHERE profile_id = :profile_id AND state = 'held' AND delivery.package_id <> profile.package_id
ORDER BY delivery.package_id""")

PROFILE_STAYS = text("UPDATE pacer.profile SET moved = false WHERE profile_id = :profile_id")

PROFILE_HANDED_BACK = text("""
UPDATE pacer.profile
SET package_id = coalesce(held.own, held.other, profile.package_id), moved = held.packages > 1,
    look_at = CASE WHEN held.packages = 0 THEN 'infinity' ELSE CAST(:now AS timestamptz) END,
    awaits_answer = false, awaits_own_event = false
FROM (SELECT max(delivery.package_id) FILTER (WHERE delivery.package_id = profile.package_id) AS own,
             max(delivery.package_id) AS other, count(DISTINCT delivery.package_id) AS packages
      FROM pacer.delivery JOIN pacer.profile USING (profile_id)
      WHERE profile_id = :profile_id AND state = 'held') AS held
WHERE profile.profile_id = :profile_id""")
"""If the profile still holds deliveries, it is due at once. If none of these deliveries belongs to its own package, the
profile goes on with another package whose deliveries it holds. A profile without deliveries waits until an event wakes
it."""

PROFILES_STAY_DUE = text("""
UPDATE pacer.profile SET look_at = :now WHERE profile_id = ANY (CAST(:profile_ids AS text[]))""")
"""Keeps these profiles due. Other profiles that were due before `now` have their turn first."""
