"""Shared accounts: finds profiles that send from the same account, because such an account may send as much as all
these profiles together.

The ingress refuses a new profile if another profile sends from its account. Profiles that shared an account before this
rule existed keep working, and an alert reports them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.accounts import Account, account_of
from ingress.metrics import SHARED_ACCOUNTS
from ingress.sql import configuration as sql
from ingress.sql.configuration import ProfileEntry
from spreader.runtime.rows import fetched

log = structlog.get_logger()

EVERY_SECONDS = 300.0


@dataclass
class SharedAccounts:
    engine: AsyncEngine
    _told: frozenset[tuple[str, ...]] = field(default=frozenset(), init=False)

    async def run_once(self) -> float:
        """Sets the metric, and logs each new group of such profiles. Returns the seconds until the next run."""
        async with self.engine.connect() as connection:
            profiles = fetched(ProfileEntry, await connection.execute(sql.PROFILES_SHARING))
        groups = sharing(profiles)
        SHARED_ACCOUNTS.set(len(groups))
        for group in sorted(groups - self._told):
            log.warning("profiles send from the same account, so it gets their limits together", profiles=group)
        self._told = groups
        return EVERY_SECONDS


def sharing(profiles: Sequence[ProfileEntry]) -> frozenset[tuple[str, ...]]:
    """For each account that has more than one profile, the sorted ids of its profiles."""
    by_account: defaultdict[Account, list[str]] = defaultdict(list)
    for profile in profiles:
        by_account[account_of(profile.settings["gateway"])].append(profile.profile_id)
    return frozenset(tuple(sorted(ids)) for ids in by_account.values() if len(ids) > 1)
