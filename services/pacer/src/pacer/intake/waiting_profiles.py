"""Waiting profiles: wakes the profiles that wait for the settlement of releases."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.sql import intake as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock


@dataclass(frozen=True, slots=True)
class Answered:
    """The packages and profiles of releases that were answered. `held`: the profiles that hold the delivery of such a
    release again."""

    package_ids: Collection[str]
    profile_ids: Collection[str]
    held: Collection[str] = ()


async def wake_waiting(engine: AsyncEngine, clock: Clock, answered: Answered) -> None:
    """Wake the profiles that wait for an answer to some release of these packages, or to one of their own releases.
    Repeated outcomes wake these profiles again, because the process may have crashed after it stored the settlements.

    A release pass in progress may not have seen the settlements, and it marks its profiles as waiting only at its end.
    So the first transaction locks the packages. It gets this lock only when such passes have ended. The second
    transaction locks the profiles. Both locks in one transaction could deadlock, because a pass locks profiles before
    packages.
    """
    params = {"package_ids": sorted(answered.package_ids)}
    async with engine.begin() as connection:
        await connection.execute(sql.PACKAGES_SHARE, params)
    async with engine.begin() as connection:
        params = {
            **params,
            "profile_ids": sorted(answered.held),
            "answered_ids": sorted(answered.profile_ids),
            "now": await system_now(connection, clock),
        }
        await connection.execute(sql.PROFILES_WAKE, params)
