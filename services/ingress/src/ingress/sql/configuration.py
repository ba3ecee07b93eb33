"""Statements: packages, profiles, and the history of their changes."""

from sqlalchemy import text

_PACKAGE_COLUMNS = """
package_id, version, settings, paused, created_at, updated_at,
ARRAY(SELECT profile_id FROM ingress.profile WHERE profile.package_id = package.package_id
      ORDER BY profile_id) AS profile_ids"""
_PROFILE_COLUMNS = "profile_id, package_id, settings, paused, created_at, updated_at"

PACKAGE_INSERT = text("""
INSERT INTO ingress.package (package_id, version, settings, created_at, updated_at)
SELECT :package_id, coalesce((SELECT version FROM ingress.package_gone WHERE package_id = :package_id), 0),
       CAST(:settings AS jsonb), :now, :now
ON CONFLICT DO NOTHING""")
"""A name that is used again goes on counting: a version never means two things."""

PACKAGE = text("SELECT " + _PACKAGE_COLUMNS + " FROM ingress.package WHERE package_id = :package_id")
PACKAGES = text(
    "SELECT "
    + _PACKAGE_COLUMNS
    + """
FROM ingress.package WHERE package_id > :after ORDER BY package_id LIMIT :limit"""
)

PACKAGE_BUMP = text("""
UPDATE ingress.package SET version = version + 1, updated_at = :now WHERE package_id = :package_id""")
"""The first statement of every change: it locks the row, so that the changes of a package follow each other."""

PACKAGE_SAVE = text("""
UPDATE ingress.package SET settings = CAST(:settings AS jsonb) WHERE package_id = :package_id""")
PACKAGE_PAUSE = text("UPDATE ingress.package SET paused = :paused WHERE package_id = :package_id")
PACKAGE_DELETE = text("""
WITH gone AS (DELETE FROM ingress.package WHERE package_id = :package_id RETURNING package_id, version)
INSERT INTO ingress.package_gone (package_id, version) SELECT package_id, version FROM gone
ON CONFLICT (package_id) DO UPDATE SET version = excluded.version""")

PROFILE_INSERT = text("""
INSERT INTO ingress.profile (profile_id, package_id, settings, created_at, updated_at)
VALUES (:profile_id, :package_id, CAST(:settings AS jsonb), :now, :now)
ON CONFLICT DO NOTHING""")
PROFILE = text(
    "SELECT "
    + _PROFILE_COLUMNS
    + """
FROM ingress.profile WHERE package_id = :package_id AND profile_id = :profile_id"""
)
PROFILE_ANYWHERE = text("SELECT " + _PROFILE_COLUMNS + " FROM ingress.profile WHERE profile_id = :profile_id")
PROFILES = text(
    "SELECT "
    + _PROFILE_COLUMNS
    + """
FROM ingress.profile WHERE package_id = :package_id AND profile_id > :after ORDER BY profile_id LIMIT :limit"""
)
PROFILE_SAVE = text("""
UPDATE ingress.profile SET settings = CAST(:settings AS jsonb), updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_PAUSE = text("""
UPDATE ingress.profile SET paused = :paused, updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_DELETE = text("""
DELETE FROM ingress.profile WHERE package_id = :package_id AND profile_id = :profile_id""")

CHANGE_INSERT = text("""
INSERT INTO ingress.change (package_id, number, at, who, undoes, differences)
VALUES (:package_id, :number, :at, :who, :undoes, CAST(:differences AS jsonb))""")

_CHANGE_COLUMNS = """
number, at, who, undoes, differences,
(SELECT max(later.number) FROM ingress.change AS later
 WHERE later.package_id = change.package_id AND later.undoes = change.number) AS undone_by"""
CHANGE = text("SELECT " + _CHANGE_COLUMNS + " FROM ingress.change WHERE package_id = :package_id AND number = :number")
CHANGES = text(
    "SELECT "
    + _CHANGE_COLUMNS
    + """
FROM ingress.change
WHERE package_id = :package_id AND (CAST(:before AS bigint) IS NULL OR number < :before)
ORDER BY number DESC LIMIT :limit"""
)
