"""Handback: a profile that cannot send any more gives its held deliveries back to the router, in batches."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.reassignment import QueueReassignment, reassignment_for, removed
from pacer.metrics import ENDED
from pacer.sql.handback import FORMER_PACKAGES, HAND_BACK, PROFILE_HANDED_BACK, PROFILE_STAYS, PROFILES_STAY_DUE
from pacer.sql.release import PacedProfile
from spreader.contract.configuration import Package
from spreader.contract.obstacles import obstacle

ROWS_MAX = 500
"""The most deliveries that one pass hands back. With more, the releases of other packages in the pass would have to
wait."""


@dataclass(frozen=True, slots=True)
class QueueOfPackage:
    """The deliveries of one package that a profile holds, and what happens to them."""

    profile_id: str
    package_id: str
    reassignment: QueueReassignment


@dataclass(frozen=True, slots=True)
class Reassignments:
    """What happens to the queues of profiles in one pass, by the current configuration and states.

    The profiles that can send are looked for once in each package, and not again for each profile of the pass.
    """

    config: PacerConfigCache
    _able: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], init=False)
    """For each package, the first two profiles that can send, or fewer if there are not two. Two are enough to know
    whether there is another one besides a given profile."""

    def of(self, package_id: str, profile_id: str) -> QueueReassignment | None:
        """None: the profile keeps its queue.

        That is also the result if the pacer does not know the package, or knows it only from its own database. Only a
        record that was read from Kafka takes a queue away.
        """
        package = self.config.package(package_id)
        if package is None:
            return removed(package_id) if self.config.is_removed(package_id) else None
        if not self.config.is_confirmed(package_id):
            return None
        profile = self.config.profile_of(package, profile_id)
        return reassignment_for(package, profile, profile_id, self.config.state(profile_id), self._others_can_send)

    def _others_can_send(self, package: Package, profile_id: str) -> bool:
        if package.package_id not in self._able:
            able = (
                profile.profile_id
                for profile in package.profiles
                if obstacle(package, profile, self.config.state(profile.profile_id), "open") is None
            )
            self._able[package.package_id] = tuple(islice(able, 2))
        return any(other != profile_id for other in self._able[package.package_id])


async def queues_to_hand_back(
    connection: AsyncConnection, config: PacerConfigCache, profiles: Sequence[PacedProfile]
) -> list[QueueOfPackage]:
    """What these profiles must give up."""
    queues: list[QueueOfPackage] = []
    reassignments = Reassignments(config)
    for profile in profiles:
        own = reassignments.of(profile.package_id, profile.profile_id)
        if own is not None:
            queues.append(QueueOfPackage(profile.profile_id, profile.package_id, own))
        if profile.moved:
            params = {"profile_id": profile.profile_id}
            others = (await connection.execute(FORMER_PACKAGES, params)).scalars().all()
            former = (_former_queue(reassignments, profile, other, own is None) for other in others)
            queues += [queue for queue in former if queue is not None]
            if not others:
                await connection.execute(PROFILE_STAYS, params)
    return queues


def _former_queue(
    reassignments: Reassignments, profile: PacedProfile, package_id: str, stays: bool
) -> QueueOfPackage | None:
    """The deliveries that a profile holds for a package that is not its present one. They are never released under the
    rules of the present package.

    `stays`: whether the profile keeps the queue of its present package. If not, it may still belong to the other
    package, and then it keeps these deliveries.
    """
    reassignment = reassignments.of(package_id, profile.profile_id)
    if reassignment is None and stays:
        reason = f"profile {profile.profile_id} is in package {profile.package_id} now"
        reassignment = QueueReassignment("returned", reason)
    return None if reassignment is None else QueueOfPackage(profile.profile_id, package_id, reassignment)


async def hand_back(connection: AsyncConnection, queues: Sequence[QueueOfPackage], now: datetime) -> int:
    """Write the new state of these deliveries; returns their number.

    A profile stays due until none of these deliveries is left, so the next pass continues with it.
    """
    total = 0
    if queues:
        profile_ids = sorted({queue.profile_id for queue in queues})
        await connection.execute(PROFILES_STAY_DUE, {"profile_ids": profile_ids, "now": now})
    for queue in queues:
        params = {"state": queue.reassignment.state, "reason": queue.reassignment.reason, "rows": ROWS_MAX - total}
        params |= {"profile_id": queue.profile_id, "package_id": queue.package_id}
        rows = (await connection.execute(HAND_BACK, params)).rowcount
        total += rows
        ENDED.labels(queue.reassignment.state).inc(rows)
        if total == ROWS_MAX:
            break
        if rows == 0:
            await connection.execute(PROFILE_HANDED_BACK, {"profile_id": queue.profile_id, "now": now})
    return total
