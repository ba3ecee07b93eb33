"""Handback: a profile that cannot send any more gives its held deliveries back to the router, in batches."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.reassignment import QueueReassignment, reassignment_for
from pacer.metrics import ENDED
from pacer.sql import release as sql
from spreader.runtime.rows import arrays

ROWS_MAX = 2_000


def reassignment_of(config: PacerConfigCache, package_id: str, profile_id: str) -> QueueReassignment | None:
    """What happens to the profile's queue, by the current configuration and states. None: the profile keeps it."""
    package = config.package(package_id)
    profile_ids = () if package is None else package.profile_ids
    return reassignment_for(package_id, package, profile_id, {other: config.state(other) for other in profile_ids})


async def hand_back(connection: AsyncConnection, reassignments: Mapping[str, QueueReassignment]) -> int:
    """Write the new state of these profiles' deliveries; returns their number.

    A profile whose batch was full stays due: the next pass continues with it.
    """
    total = 0
    for profile_id, reassignment in reassignments.items():
        params = {"state": reassignment.state, "reason": reassignment.reason}
        params |= {"profile_ids": [profile_id], "rows": ROWS_MAX}
        rows = (await connection.execute(sql.HAND_BACK, params)).rowcount
        total += rows
        ENDED.labels(reassignment.state).inc(rows)
        if rows < ROWS_MAX:
            until_event = sql.NextLook(profile_id, look_at=None, awaits_answer=False)
            await connection.execute(sql.PROFILE_LOOKED, arrays(sql.NextLook, [until_event]))
    return total
