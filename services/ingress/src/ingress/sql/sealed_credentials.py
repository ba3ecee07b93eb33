"""Statements: the credentials of profiles, which are sealed with one of the secret keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import text

from spreader.runtime.rows import column, unnest


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """The sealed credentials of a profile. `holder`: a name that is computed from the profile's access token. It is
    None if the profile has no token."""

    package_id: str
    profile_id: str
    sealed: str = field(repr=False)
    holder: str | None


@dataclass(frozen=True, slots=True)
class ResealedEntry:
    """`sealed`: the sealed text before the change. `fresh`: a JSON object with the new values of the gateway settings
    that change."""

    profile_id: str
    sealed: str = field(repr=False)
    fresh: str = column("jsonb", repr=False)


@dataclass(frozen=True, slots=True)
class WaitingRecord:
    """A record of the configuration topic that is still in the outbox."""

    headers: Mapping[str, str]
    body: str = field(repr=False)


SEALED_PAGE = text("""
SELECT package_id, profile_id, settings #>> '{gateway,sealed}' AS sealed, settings #>> '{gateway,holder}' AS holder
FROM ingress.profile
WHERE (package_id, profile_id) > (:package_id, :profile_id) AND settings #>> '{gateway,sealed}' IS NOT NULL
ORDER BY package_id, profile_id LIMIT :limit""")
RESEAL = text(f"""
UPDATE ingress.profile
SET settings = jsonb_set(settings, '{{gateway}}', (settings -> 'gateway') || resealed.fresh)
FROM {unnest(ResealedEntry, "resealed")}
WHERE profile.package_id = :package_id AND profile.profile_id = resealed.profile_id
  AND settings #>> '{{gateway,sealed}}' = resealed.sealed""")
"""The statement leaves `updated_at` as it is, because callers see no change. If an operator has just set other
credentials, the statement leaves these as they are too."""
WAITING_RECORDS = text("SELECT headers, body FROM ingress.outbox WHERE topic = :topic AND body IS NOT NULL")
