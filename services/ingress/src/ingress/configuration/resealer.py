"""Resealer: seals the stored credentials again with the newest secret key, so that older keys are no longer needed.

The resealer then publishes the package again, because the sender reads the credentials from Kafka. The package keeps
its version, because nothing that callers see has changed. If no key opens the credentials of a profile, they stay as
they are, and the resealer goes on with the next profile.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, get_args

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.registry import Registry
from ingress.metrics import SEALED_CREDENTIALS
from ingress.sql import sealed_credentials as sql
from ingress.sql.sealed_credentials import ResealedEntry, SealedEntry
from spreader.runtime.postgres import is_transient
from spreader.runtime.rows import fetched
from spreader.vault import Undecryptable, Vault

log = structlog.get_logger()

PROFILES_AT_ONCE = 100
EVERY_SECONDS = 300.0
NAMED_MAX = 20
"""How many profiles one log line names, at most."""
FIRST_PLACE = ("", "")

SealedWith = Literal["newest", "older", "unknown"]


@dataclass(frozen=True, slots=True)
class SealReview:
    """What was found about the credentials of one profile. `fresh`: the credentials as the newest key has sealed them
    again. None if the stored credentials stay."""

    entry: SealedEntry
    key: SealedWith
    fresh: ResealedEntry | None = None


@dataclass
class Resealer:
    """`reseal_after`: how many seconds after the start of this process the resealer begins to seal. Before that time,
    it only counts how many credentials each key has sealed."""

    engine: AsyncEngine
    registry: Registry
    vault: Vault
    reseal_after: float
    _began: float = field(default_factory=time.monotonic, init=False)
    _place: tuple[str, str] = field(default=FIRST_PLACE, init=False)
    _counts: Counter[SealedWith] = field(default_factory=Counter[SealedWith], init=False)
    _unknown: list[str] = field(default_factory=list[str], init=False)
    _reported: list[str] = field(default_factory=list[str], init=False)

    async def run_once(self) -> float:
        """Reviews the next profiles, and seals their credentials again if an older key has sealed them. Returns the
        seconds until the next run."""
        entries = await sealed_page(self.engine, self._place, PROFILES_AT_ONCE)
        reviews = await asyncio.to_thread(lambda: [review(self.vault, entry) for entry in entries])
        wait = self._began + self.reseal_after - time.monotonic()
        if wait <= 0:
            await self._reseal(reviews)
        for found in reviews:
            self._counts["newest" if found.fresh is not None and wait <= 0 else found.key] += 1
        self._unknown += [found.entry.profile_id for found in reviews if found.key == "unknown"]
        if len(entries) == PROFILES_AT_ONCE:
            self._place = (entries[-1].package_id, entries[-1].profile_id)
            return 0.0
        self._end_pass()
        return min(wait, EVERY_SECONDS) if wait > 0 else EVERY_SECONDS

    async def _reseal(self, reviews: Sequence[SealReview]) -> None:
        """Store the fresh credentials, in one transaction for each package. `reviews` must be in the order of the
        packages. If a package cannot be stored, it stays as it is, and the next packages are still stored. If Postgres
        is away, the error is raised instead."""
        changes = [(found.entry.package_id, found.fresh) for found in reviews if found.fresh is not None]
        for package_id, members in groupby(changes, key=lambda change: change[0]):
            try:
                await self.registry.publish_again(package_id, [fresh for _, fresh in members])
            except Exception as error:
                if is_transient(error):
                    raise
                log.exception("cannot seal the credentials of a package again; leaving them", package_id=package_id)
        if changes:
            log.info("sealed credentials again with the newest key", profiles=len(changes))

    def _end_pass(self) -> None:
        for key in get_args(SealedWith):
            SEALED_CREDENTIALS.labels(key).set(self._counts[key])
        if self._unknown and self._unknown != self._reported:
            log.error(
                "credentials cannot be opened, so these profiles cannot send; add the key that sealed them to "
                "SPREADER_SECRET_KEYS again, or set their credentials again",
                profiles=self._unknown[:NAMED_MAX],
                count=len(self._unknown),
            )
        self._reported, self._unknown = self._unknown, []
        self._place, self._counts = FIRST_PLACE, Counter()


async def sealed_page(engine: AsyncEngine, after: tuple[str, str], limit: int) -> Sequence[SealedEntry]:
    """The next profiles with credentials. `after`: the package and the id of the last profile of the page before."""
    package_id, profile_id = after
    params = {"package_id": package_id, "profile_id": profile_id, "limit": limit}
    async with engine.connect() as connection:
        return fetched(SealedEntry, await connection.execute(sql.SEALED_PAGE, params))


def review(vault: Vault, entry: SealedEntry) -> SealReview:
    """Finds the key that sealed the credentials. If it is not the newest key, the newest key seals them again."""
    key = vault.key_of(entry.sealed)
    try:
        credentials = vault.open(entry.profile_id, entry.sealed)
    except Undecryptable:
        return SealReview(entry, "unknown")
    holder = entry.holder and vault.name(credentials.get("access_token", ""))
    if key == vault.key_ids[0] and holder == entry.holder:
        return SealReview(entry, "newest")
    fresh = {"sealed": vault.seal(entry.profile_id, credentials), **({"holder": holder} if holder else {})}
    return SealReview(entry, "older", ResealedEntry(entry.profile_id, entry.sealed, json.dumps(fresh)))
