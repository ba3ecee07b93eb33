"""Release loop: each pass locks the profiles that are due, decides by the policy, and writes the releases.

Delivery promise: a pass checks the limits and writes its releases in one transaction over locked rows. So any number of
pacers can run, and none owns a profile. A crash leaves either all of a pass or nothing. After the commit, the outbox
relay publishes the releases. It finds them by their state, so a crash before the publication only delays them.

A pass locks profiles, then packages, then deliveries and contacts.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.policy import HeldDelivery, Release, Wait
from pacer.core.release_pass import LOOK_AGAIN, Due, Parked, PassResult, run_pass
from pacer.core.waiting_queue import is_waiting_queue
from pacer.metrics import BOUND_RELEASES, BOUND_WAITS, DUE_PROFILES, LATENESS, NOTHING, RELEASED
from pacer.release.facts import load_due, lock_packages
from pacer.release.handback import hand_back, queues_to_hand_back
from pacer.release.known_events import KnownConfiguration
from pacer.release.rescheduler import Rescheduler
from pacer.release.waiting_queues import share_waiting
from pacer.sql import contacts, stops
from pacer.sql import release as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.phone.canonical import person_key
from spreader.runtime.rows import arrays, fetched

IDLE_SECONDS_MAX = 3.0
"""The longest time between two passes. A pass knows when the next profile is due. An event that makes a profile due
wakes only the pacer that handles the event. If this pacer dies, another one finds the profile within this time."""
STALE_SECONDS = 0.5
"""The pause while the configuration is too old to release anything."""
HEADS_FEW, HEADS_MANY = 1, 50
"""How many deliveries of each part of a queue a pass reads. It reads many if the previous pass parked some, and few
otherwise."""
LOOK_SECONDS_MIN = 0.001
LOCKED_SECONDS = 0.01
"""The pause when another pacer's pass has locked all due profiles."""

STOPPED_PAUSE = timedelta(seconds=0.1)
"""The pause, in wall time, of a profile whose next delivery was stopped. The deliveries behind it are often stopped
too, and the stopper ends them faster than passes would."""

OnPass = Callable[[Sequence[tuple[Due, PassResult]], datetime], None]


@dataclass
class ReleaseLoop:
    engine: AsyncEngine
    config: PacerConfigCache
    clock: Clock
    profiles_a_pass: int
    on_pass: OnPass
    wake_relay: Callable[[], None]
    rescheduler: Rescheduler
    known: KnownConfiguration | None = None
    """None in tests, whose packages are in memory."""
    _heads: int = field(default=HEADS_FEW, init=False)
    _bounds: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """The bound that each profile waits for, by its last pass in this process."""

    async def run_pass(self) -> float:
        """Run one pass; returns the wall seconds until the next one."""
        if self.known is not None:
            await self.known.save()
        await self.rescheduler.write(self.clock)
        if self.config.stale_reason() is not None:
            return STALE_SECONDS
        async with self.engine.begin() as connection:
            now, read_at = await system_now(connection, self.clock), time.monotonic()
            params = {"now": now, "profiles": self.profiles_a_pass}
            profiles = fetched(sql.PacedProfile, await connection.execute(sql.DUE, params))
            DUE_PROFILES.set(len(profiles))
            if not profiles:
                next_look = (await connection.execute(sql.NEXT_LOOK)).scalar_one_or_none()
                return idle_seconds(self.clock, now, next_look, time.monotonic() - read_at)
            at_gateway = await lock_packages(connection, {profile.package_id for profile in profiles})
            if self.known is not None:
                await self.known.packages.refresh(connection, {profile.package_id for profile in profiles})
            queues = await queues_to_hand_back(connection, self.config, profiles)
            handing_back = {queue.profile_id for queue in queues}
            remaining = [profile for profile in profiles if profile.profile_id not in handing_back]
            waiting = [queue for queue in remaining if is_waiting_queue(queue.profile_id)]
            dues = await load_due(connection, remaining, self.config, self._heads, now)
            look_at = now + self.clock.system(STOPPED_PAUSE)
            results = await _without_stopped(connection, run_pass(dues, at_gateway, now), look_at)
            self._heads = HEADS_MANY if any(result.parked for result in results) else HEADS_FEW
            unpublished = await _write(connection, results, now)
            unpublished += await hand_back(connection, queues, now)
            unpublished += await share_waiting(connection, waiting, self.config, now)
            without_rules = {profile.profile_id for profile in remaining} - {
                row.profile_id for row in (*dues, *waiting)
            }
            await _look_again(connection, without_rules, now)
        self._record({profile.profile_id: profile.look_at for profile in profiles}, results, now)
        self.on_pass(list(zip(dues, results, strict=True)), now)
        if unpublished:
            self.wake_relay()
        return 0

    def _record(self, due_at: dict[str, datetime], results: Sequence[PassResult], now: datetime) -> None:
        for result in results:
            profile_id = result.profile_id
            if isinstance(result.decision, Wait):
                self._bounds[profile_id] = result.decision.bound
                BOUND_WAITS.labels(result.decision.bound).inc()
            elif isinstance(result.decision, Release):
                BOUND_RELEASES.labels(self._bounds.pop(profile_id, NOTHING)).inc()
                if due_at[profile_id].year > MINYEAR:  # not `-infinity`, which has no lateness
                    LATENESS.observe(self.clock.wall(now - due_at[profile_id]).total_seconds())


def idle_seconds(clock: Clock, now: datetime, next_look: datetime | None, elapsed: float) -> float:
    """Wall seconds until the next look. `elapsed`: wall seconds since the clock showed `now`."""
    if next_look is None or next_look.year == MAXYEAR:  # there is no profile, or all wait for an event ('infinity')
        return IDLE_SECONDS_MAX
    if next_look.year == MINYEAR or next_look <= now:  # a profile is due, but another pass has locked it
        return LOCKED_SECONDS
    return min(max(clock.wall(next_look - now).total_seconds() - elapsed, LOOK_SECONDS_MIN), IDLE_SECONDS_MAX)


async def _look_again(connection: AsyncConnection, profile_ids: Collection[str], now: datetime) -> None:
    """Plan the next look at profiles whose package is not known. Their deliveries wait until the pacer reads the
    package, which wakes these profiles."""
    looks = [sql.NextLook(profile_id, now + LOOK_AGAIN) for profile_id in sorted(profile_ids)]
    if looks:
        await connection.execute(sql.PROFILE_LOOKED, arrays(sql.NextLook, looks))


async def _without_stopped(
    connection: AsyncConnection, results: Sequence[PassResult], look_at: datetime
) -> list[PassResult]:
    """End the chosen deliveries that are cancelled or whose recipient is stopped. Their profiles choose others at
    `look_at`."""
    chosen = [result.delivery for result in results if isinstance(result.decision, Release) and result.delivery]
    if not chosen:
        return list(results)
    params = {"delivery_ids": [delivery.delivery_id for delivery in chosen]}
    stopped = set((await connection.execute(stops.STOPPED_AT_RELEASE, params)).scalars().all())
    return [
        replace(result, delivery=None, decision=None, look_at=look_at)
        if result.delivery is not None and result.delivery.delivery_id in stopped
        else result
        for result in results
    ]


async def _write(connection: AsyncConnection, results: Sequence[PassResult], now: datetime) -> int:
    """Write the releases, the parked deliveries, and when to look again; returns the number of releases."""
    chosen = [
        (result.profile_id, result.delivery, result.decision)
        for result in results
        if isinstance(result.decision, Release) and result.delivery is not None
    ]
    released = await _release(connection, chosen, now) if chosen else 0
    parked = [parked for result in results for parked in result.parked]
    if parked:
        await connection.execute(sql.DELIVERY_PARK, arrays(Parked, parked))
    looks = [
        sql.NextLook(result.profile_id, result.look_at, result.awaits_answer, result.awaits_own_event)
        for result in results
    ]
    await connection.execute(sql.PROFILE_LOOKED, arrays(sql.NextLook, looks))
    RELEASED.inc(released)
    return released


async def _release(
    connection: AsyncConnection, chosen: Sequence[tuple[str, HeldDelivery, Release]], now: datetime
) -> int:
    """Release those of the chosen deliveries that are still held. A delivery may have been cancelled since the pass
    read it."""
    profile_ids = [profile_id for profile_id, _, _ in chosen]
    params = {"profile_ids": profile_ids, "now": now}
    numbers = fetched(sql.ReleaseNumber, await connection.execute(sql.PROFILE_RELEASED, params))
    number = {row.profile_id: row.releases for row in numbers}
    choices = [
        sql.ReleaseChoice(delivery.delivery_id, number[profile_id], release.send_by)
        for profile_id, delivery, release in chosen
    ]
    params = {**arrays(sql.ReleaseChoice, choices), "now": now}
    rows = fetched(sql.ReleasedDelivery, await connection.execute(sql.DELIVERY_RELEASE, params))
    cold = {delivery.delivery_id: delivery.cold for _, delivery, _ in chosen}
    releases = [
        sql.NewRelease(
            row.profile_id,
            row.release,
            row.package_id,
            row.delivery_id,
            person_key(row.recipient),  # an older version holds the delivery under the number as it was given
            cold[row.delivery_id],
        )
        for row in rows
    ]
    await connection.execute(sql.RELEASE_INSERT, {**arrays(sql.NewRelease, releases), "now": now})
    to_contacts = [contacts.ContactRelease(row.profile_id, row.recipient, row.cold) for row in releases]
    params = {**arrays(contacts.ContactRelease, to_contacts), "now": now}
    await connection.execute(contacts.CONTACT_RELEASED, params)
    keys = [contacts.ContactKey(row.profile_id, row.recipient) for row in releases]
    await connection.execute(contacts.DELIVERY_WARM, arrays(contacts.ContactKey, keys))
    return len(rows)
