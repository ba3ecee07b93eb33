"""Handback: a profile that cannot send any more gives its held deliveries back to the router, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.reassignment import QueueReassignment, reassignment_for
from pacer.metrics import ENDED
from pacer.sql.handback import FORMER_PACKAGES, HAND_BACK, PROFILE_HANDED_BACK, PROFILE_STAYS
from pacer.sql.release import PacedProfile

ROWS_MAX = 500
"""The most deliveries that one pass hands back, so that the releases of other packages in the pass do not wait."""


@dataclass(frozen=True, slots=True)
class QueueOfPackage:
    """The deliveries of one package that a profile holds, and what happens to them."""

    profile_id: str
    package_id: str
    reassignment: QueueReassignment


async def queues_to_hand_back(
    connection: AsyncConnection, config: PacerConfigCache, profiles: Sequence[PacedProfile]
) -> list[QueueOfPackage]:
    """The queues that these profiles must give up, by the current configuration and states."""
    queues: list[QueueOfPackage] = []
    for profile in profiles:
        own = reassignment_of(config, profile.package_id, profile.profile_id)
        if own is not None:
            queues.append(QueueOfPackage(profile.profile_id, profile.package_id, own))
        if profile.moved:
            params = {"profile_id": profile.profile_id}
            others = (await connection.execute(FORMER_PACKAGES, params)).scalars().all()
            former = (_former_queue(config, profile, other, own is None) for other in others)
            queues += [queue for queue in former if queue is not None]
            if not others:
                await connection.execute(PROFILE_STAYS, params)
    return queues


def reassignment_of(config: PacerConfigCache, package_id: str, profile_id: str) -> QueueReassignment | None:
    """What happens to the profile's queue, by the current configuration and states. None: the profile keeps it.

    If the pacer does not know the package, or knows it only from its own database schema, the profile keeps its queue,
    because only a record from Kafka may take a queue away.
    """
    package = config.package(package_id)
    if package is None:
        return reassignment_for(package_id, None, profile_id, {}) if config.is_removed(package_id) else None
    if not config.is_confirmed(package_id):
        return None
    return reassignment_for(package_id, package, profile_id, config.states_of(package))


def _former_queue(
    config: PacerConfigCache, profile: PacedProfile, package_id: str, stays: bool
) -> QueueOfPackage | None:
    """The profile's deliveries of a package that it was in before. They are never released under the rules of its
    present package.

    `stays`: whether the profile keeps the queue of its present package. If not, it may go on with the former package.
    """
    reassignment = reassignment_of(config, package_id, profile.profile_id)
    if reassignment is None and stays:
        reason = f"profile {profile.profile_id} is in package {profile.package_id} now"
        reassignment = QueueReassignment("returned", reason)
    return None if reassignment is None else QueueOfPackage(profile.profile_id, package_id, reassignment)


async def hand_back(connection: AsyncConnection, queues: Sequence[QueueOfPackage]) -> int:
    """Write the new state of these deliveries; returns their number.

    A profile stays due until none of these deliveries is left, so the next pass continues with it.
    """
    total = 0
    for queue in queues:
        params = {"state": queue.reassignment.state, "reason": queue.reassignment.reason, "rows": ROWS_MAX - total}
        params |= {"profile_id": queue.profile_id, "package_id": queue.package_id}
        rows = (await connection.execute(HAND_BACK, params)).rowcount
        total += rows
        ENDED.labels(queue.reassignment.state).inc(rows)
        if total == ROWS_MAX:
            break
        if rows == 0:
            await connection.execute(PROFILE_HANDED_BACK, {"profile_id": queue.profile_id})
    return total
