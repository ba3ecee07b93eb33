"""New numbers: the statements by which the contacts of a person continue under the person's new number."""

from sqlalchemy import text

from pacer.sql.contacts import COLD

OLD_CONTACTS = text("""
SELECT profile_id FROM pacer.contact
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND recipient = :recipient ORDER BY profile_id""")

LOCK_CONTACTS = text("""
SELECT FROM pacer.contact
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND recipient IN (:recipient, :new_recipient)
ORDER BY profile_id, recipient FOR UPDATE""")

FOLLOW = text("""
WITH answered AS (
    UPDATE pacer.contact SET unanswered = false
    WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND recipient = :recipient AND unanswered)
INSERT INTO pacer.contact AS known (profile_id, recipient, opened_at, last_release, wrote_at, unanswered)
SELECT profile_id, :new_recipient, CASE WHEN unanswered THEN CAST(:now AS timestamptz) END, last_release, wrote_at,
       unanswered
FROM pacer.contact AS old
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND recipient = :recipient
ORDER BY profile_id
ON CONFLICT (profile_id, recipient) DO UPDATE
SET opened_at = coalesce(excluded.opened_at, known.opened_at),
    last_release = greatest(known.last_release, excluded.last_release),
    wrote_at = greatest(known.wrote_at, excluded.wrote_at),
    unanswered = known.unanswered OR excluded.unanswered""")
"""A contact that has not answered stays one contact, which is now the new number. It counts as opened now, because an
open release to the old number may still get a later time. Every part of the statement reads the old contacts as they
were before it."""

WARM = text(f"""
SELECT profile_id, recipient FROM pacer.contact
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND recipient = :new_recipient AND NOT {COLD}""")
"""The columns of `pacer.sql.contacts.ContactKey`."""
