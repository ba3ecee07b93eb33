"""Statements of waking: profiles are looked at anew, and what was put off comes back, since settings changed."""

from sqlalchemy import text

PACKAGES_WAKE = text("""
UPDATE pacer.profile SET look_at = '-infinity' WHERE profile_id IN (
    SELECT profile_id FROM pacer.profile WHERE package_id = ANY (CAST(:package_ids AS text[]))
    ORDER BY profile_id FOR UPDATE)""")

BRING_FORWARD = text("""
UPDATE pacer.delivery SET not_before = asked_at, put_off_by = NULL
WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM pacer.delivery
    WHERE package_id = :package_id AND state = 'held' AND put_off_by IS NOT NULL
    LIMIT :rows FOR UPDATE SKIP LOCKED))""")

RECIPIENT_RULES_INSERT = text("""
INSERT INTO pacer.package (package_id, recipient_rules)
SELECT * FROM unnest(CAST(:package_ids AS text[]), CAST(:rules AS text[])) AS told (package_id, rules)
ORDER BY package_id ON CONFLICT DO NOTHING""")
"""Of a package that was not known nothing can be put off."""

RECIPIENT_RULES_CHANGED = text("""
SELECT package_id FROM pacer.package
JOIN unnest(CAST(:package_ids AS text[]), CAST(:rules AS text[])) AS told (package_id, rules) USING (package_id)
WHERE package.recipient_rules IS DISTINCT FROM told.rules""")

RECIPIENT_RULES_KEEP = text("UPDATE pacer.package SET recipient_rules = :rules WHERE package_id = :package_id")
