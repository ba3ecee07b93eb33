"""Waiting profiles: wakes the profiles that wait for the settlement of releases."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.sql import intake as sql


async def wake_waiting(engine: AsyncEngine, package_ids: Collection[str], profile_ids: Collection[str]) -> None:
    """Wake the profiles that wait for a settlement in these packages, and wake the profiles with these ids. Repeated
    settlements wake them too, because the process may have crashed after it stored the settlements.

    A release pass in progress may not have seen the settlements, and it marks its profiles as waiting only at its end.
    So the first transaction locks the packages, because the lock waits until such passes have ended. The second
    transaction locks the profiles. Both locks in one transaction could deadlock, because a pass locks profiles before
    packages.
    """
    params = {"package_ids": sorted(package_ids)}
    async with engine.begin() as connection:
        await connection.execute(sql.PACKAGES_SHARE, params)
    async with engine.begin() as connection:
        await connection.execute(sql.PROFILES_WAKE, {**params, "profile_ids": sorted(profile_ids)})
