"""Giving back: what a profile holds that cannot send it any more goes to the router, many rows at a time."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.reassignment import Leaving, leaving
from pacer.metrics import ENDED
from pacer.sql import queue as sql

ROWS_MAX = 2_000


def leaves(directory: PacerConfigCache, package_id: str, profile_id: str) -> Leaving | None:
    package = directory.package(package_id)
    ids = () if package is None else package.profile_ids
    return leaving(package_id, package, profile_id, {each: directory.state(each) for each in ids})


async def give_back(connection: AsyncConnection, gone: Mapping[str, Leaving]) -> int:
    """Write down what becomes of these profiles' queues; a profile with more than ROWS_MAX is looked at again."""
    rows = 0
    for profile_id, left in gone.items():
        what = {"state": left.state, "reason": left.reason, "profile_ids": [profile_id], "rows": ROWS_MAX}
        given = (await connection.execute(sql.GIVE_BACK, what)).rowcount
        rows += given
        ENDED.labels(left.state).inc(given)
        if given < ROWS_MAX:
            looked = {"profile_ids": [profile_id], "look_ats": [None], "awaits": [False]}
            await connection.execute(sql.PROFILE_LOOKED, looked)
    return rows
