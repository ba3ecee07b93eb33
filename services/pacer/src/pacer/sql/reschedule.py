"""Reschedule: the statements that make profiles due again and bring parked deliveries back after settings changed."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.runtime.rows import unnest


@dataclass(frozen=True, slots=True)
class PackageRules:
    """The text of a package's recipient rules."""

    package_id: str
    rules: str


PROFILES_WAKE = text("""
UPDATE pacer.profile SET look_at = least(look_at, CAST(:now AS timestamptz)) WHERE profile_id IN (
    SELECT profile_id FROM pacer.profile
    WHERE profile_id = ANY (CAST(:profile_ids AS text[])) OR package_id = ANY (CAST(:package_ids AS text[]))
       OR (package_id = ANY (CAST(:able_in AS text[])) AND awaits_own_event)
    ORDER BY profile_id FOR UPDATE)""")
"""Wakes all of `profile_ids`, and all profiles of the packages `package_ids`. In each package of `able_in`, some
profile can send now. So a blocked profile of such a package may hand its queue back, and is woken too."""

UNPARK = text("""
UPDATE pacer.delivery SET not_before = asked_at, put_off_by = NULL
WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM pacer.delivery
    WHERE package_id = :package_id AND state = 'held' AND put_off_by IS NOT NULL
    LIMIT :rows FOR UPDATE SKIP LOCKED))""")

RECIPIENT_RULES_INSERT = text(f"""
INSERT INTO pacer.package (package_id, recipient_rules)
SELECT * FROM {unnest(PackageRules, "configured")}
ORDER BY package_id ON CONFLICT DO NOTHING""")
"""Inserts only packages that have no row. Such packages have no parked deliveries, so there is nothing to bring
back."""

RECIPIENT_RULES_CHANGED = text(f"""
SELECT package_id FROM pacer.package
JOIN {unnest(PackageRules, "configured")} USING (package_id)
WHERE package.recipient_rules IS DISTINCT FROM configured.rules""")

RECIPIENT_RULES_STORE = text("UPDATE pacer.package SET recipient_rules = :rules WHERE package_id = :package_id")
