"""Waiting queues: as soon as a profile can send, a pass gives the deliveries that wait without a profile back to the
router."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.release_pass import LOOK_AGAIN
from pacer.core.waiting_queue import REASON, Takers, find_takers, portion
from pacer.metrics import ENDED
from pacer.sql import release as release_sql
from pacer.sql import waiting_queue as sql
from pacer.sql.release import NextLook, PacedProfile
from spreader.contract.configuration import Package
from spreader.runtime.rows import arrays, fetched

ROWS_MAX = 500
"""The most deliveries of a package that one pass gives back."""
PORTION_EVERY = timedelta(minutes=1)
"""While one of the profiles cannot send, the pacer looks this often whether the others need more work."""


async def share_waiting(
    connection: AsyncConnection, queues: Sequence[PacedProfile], config: PacerConfigCache, now: datetime
) -> int:
    """Give deliveries of these waiting queues back to the router, as many as the profiles that can send should get now.
    Returns how many deliveries were given back.

    The router then chooses the profiles by the strategy of each message. A delivery for which every profile of the
    package was tried is given back too, and the router ends it.
    """
    total = 0
    for queue in queues:
        package = config.package(queue.package_id) if config.is_confirmed(queue.package_id) else None
        rows, look_at = (
            (0, now + LOOK_AGAIN) if package is None else await _share(connection, queue, package, config, now)
        )
        total += rows
        looked = NextLook(queue.profile_id, look_at)
        await connection.execute(release_sql.PROFILE_LOOKED, arrays(NextLook, [looked]))
    ENDED.labels("returned").inc(total)
    return total


async def _share(
    connection: AsyncConnection, queue: PacedProfile, package: Package, config: PacerConfigCache, now: datetime
) -> tuple[int, datetime]:
    """How many deliveries were given back, and when to look again."""
    takers = find_takers(package, config.states_of(package))
    allowed = await _portion(connection, queue, takers, config, now)
    params = {
        "queue": queue.profile_id,
        "able": list(takers.able),
        "profiles": list(package.profile_ids),
        "reason": REASON,
        "rows": ROWS_MAX if allowed is None else min(allowed, ROWS_MAX),
    }
    rows = (await connection.execute(sql.GIVE_BACK, params)).rowcount
    if rows == ROWS_MAX:
        return rows, now
    return rows, now + (PORTION_EVERY if takers.able and not takers.is_complete else LOOK_AGAIN)


async def _portion(
    connection: AsyncConnection, queue: PacedProfile, takers: Takers, config: PacerConfigCache, now: datetime
) -> int | None:
    rules = {profile: config.rules(queue.package_id, profile, now) for profile in takers.taking}
    per_day = {profile: in_force.limits.per_day for profile, in_force in rules.items() if in_force is not None}
    if takers.is_complete or not per_day:
        return portion(takers, per_day, {})
    asked = [sql.QueueLimit(profile, limit) for profile, limit in per_day.items()]
    params = {**arrays(sql.QueueLimit, asked), "queue": queue.profile_id}
    rows = fetched(sql.AheadCount, await connection.execute(sql.AHEAD, params))
    return portion(takers, per_day, {row.profile_id: row.deliveries for row in rows})
