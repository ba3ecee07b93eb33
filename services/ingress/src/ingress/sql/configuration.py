"""Statements: packages, profiles, and the history of their changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from ingress.core.snapshot import StoredPackage, StoredProfile
from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class PackageEntry(StoredPackage):
    created_at: datetime
    updated_at: datetime
    profile_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class ProfileEntry(StoredProfile):
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """A change in the history of a package. `number`: the package version that the change created."""

    number: int
    at: datetime
    who: str | None
    undoes: int | None
    undone_by: int | None
    differences: Sequence[Mapping[str, Any]]


_PACKAGE = f"""
SELECT {columns(StoredPackage)}, created_at, updated_at,
       ARRAY(SELECT profile_id FROM ingress.profile WHERE profile.package_id = package.package_id
             ORDER BY profile_id) AS profile_ids
FROM ingress.package"""
PACKAGE_INSERT = text("""
INSERT INTO ingress.package (package_id, version, settings, created_at, updated_at)
SELECT :package_id,
       coalesce((SELECT version + 1 FROM ingress.package_gone WHERE package_id = :package_id FOR UPDATE), 0),
       CAST(:settings AS jsonb), :now, :now
ON CONFLICT DO NOTHING""")
"""The new package may have the id of a deleted package. Then the versions of the new package continue after the version
of the removal, so that no version is used twice."""

PACKAGE = text(f"{_PACKAGE} WHERE package_id = :package_id")
PACKAGES = text(f"{_PACKAGE} WHERE package_id > :after ORDER BY package_id LIMIT :limit")

PACKAGE_HAS_BEEN = text("""
SELECT EXISTS (SELECT FROM ingress.package WHERE package_id = :package_id)
    OR EXISTS (SELECT FROM ingress.package_gone WHERE package_id = :package_id)""")
PACKAGE_BUMP = text("""
UPDATE ingress.package SET version = version + 1, updated_at = :now WHERE package_id = :package_id""")
"""The first statement of every change of a package. It locks the package's row, so that the changes are made one after
the other."""

SUPERSEDED_DELETE = text("DELETE FROM ingress.outbox WHERE topic = :topic AND key = :package_id")
"""Deletes the package's snapshots that are not published yet. Only the newest snapshot is needed, and snapshots may be
large."""
PACKAGE_LOCK = text("SELECT package_id FROM ingress.package WHERE package_id = :package_id FOR UPDATE")
PACKAGE_SAVE = text("""
UPDATE ingress.package SET settings = CAST(:settings AS jsonb) WHERE package_id = :package_id""")
PACKAGE_PAUSE = text("UPDATE ingress.package SET paused = :paused WHERE package_id = :package_id")
PACKAGE_DELETE = text("""
WITH gone AS (DELETE FROM ingress.package WHERE package_id = :package_id RETURNING package_id, version)
INSERT INTO ingress.package_gone (package_id, version) SELECT package_id, version FROM gone
ON CONFLICT (package_id) DO UPDATE SET version = excluded.version, removed_at = clock_timestamp()
RETURNING version""")

_PROFILE = f"SELECT {columns(ProfileEntry)} FROM ingress.profile"
PROFILE_INSERT = text("""
INSERT INTO ingress.profile (profile_id, package_id, settings, created_at, updated_at)
VALUES (:profile_id, :package_id, CAST(:settings AS jsonb), :now, :now)
ON CONFLICT DO NOTHING""")
PROFILE = text(f"{_PROFILE} WHERE package_id = :package_id AND profile_id = :profile_id")
PROFILE_ANYWHERE = text(f"{_PROFILE} WHERE profile_id = :profile_id")
PROFILES = text(f"""{_PROFILE}
WHERE package_id = :package_id AND profile_id > :after
  AND (CAST(:only AS text[]) IS NULL OR profile_id = ANY(CAST(:only AS text[])))
ORDER BY profile_id LIMIT :limit""")
PROFILES_OF_ACCOUNT = text(f"""{_PROFILE}
WHERE settings #>> '{{gateway,account}}' = :account AND settings #>> '{{gateway,driver}}' = :driver
  AND profile_id <> :profile_id
ORDER BY profile_id""")
PROFILES_OF_PHONE = text(f"{_PROFILE} WHERE settings ->> 'phone' = :phone AND profile_id <> :profile_id LIMIT 1")
PROFILES_SHARING = text(f"""{_PROFILE} WHERE settings #>> '{{gateway,account}}' IN (
    SELECT settings #>> '{{gateway,account}}' FROM ingress.profile GROUP BY 1 HAVING count(*) > 1)
ORDER BY profile_id""")
"""Profiles whose account has the same name as the account of another profile. The two accounts may be at different
gateways."""
ACCOUNT_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:account, 0))")
"""Only one request at a time can set a profile's account to this account, even if the requests concern different
packages."""
PROFILE_SAVE = text("""
UPDATE ingress.profile SET settings = CAST(:settings AS jsonb), updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_PAUSE = text("""
UPDATE ingress.profile SET paused = :paused, updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_MOVE = text("""
UPDATE ingress.profile SET package_id = :target, updated_at = :now
WHERE package_id = :package_id AND profile_id = :profile_id""")
PROFILE_DELETE = text("""
DELETE FROM ingress.profile WHERE package_id = :package_id AND profile_id = :profile_id""")

_CHANGE = """
SELECT number, at, who, undoes,
       (SELECT max(later.number) FROM ingress.change AS later
        WHERE later.package_id = change.package_id AND later.undoes = change.number) AS undone_by,
       differences
FROM ingress.change"""
CHANGE_INSERT = text("""
INSERT INTO ingress.change (package_id, number, at, who, undoes, differences)
VALUES (:package_id, :number, :at, :who, :undoes, CAST(:differences AS jsonb))""")
CHANGE = text(f"{_CHANGE} WHERE package_id = :package_id AND number = :number")
CHANGES = text(f"""{_CHANGE}
WHERE package_id = :package_id AND (CAST(:before AS bigint) IS NULL OR number < :before)
ORDER BY number DESC LIMIT :limit""")
