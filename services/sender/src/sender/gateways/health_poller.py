"""Health poller: asks every real gateway periodically about its profiles, and publishes what has changed.

All senders share the work. A sender takes profiles that are due, under a lease. Until the lease ends, no other sender
takes these profiles.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Protocol

from sender.core.session_states import ProfileCheck
from sender.gateways.driver import Drivers
from sender.gateways.postgres import FirstCheck, PolledProfile
from sender.metrics import CHECKS
from spreader.clock import Clock, Now
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured, ProfileReported
from spreader.kafka.bus import Bus
from spreader.runtime.loop import Loop

REPEAT = timedelta(hours=1)
"""System time after which an unchanged state is reported again. The repeats are needed for a lane that was closed after
a failed send. It opens again when a report says that the profile works."""
PERIOD_MIN = timedelta(seconds=5)
"""The shortest mean wall time between two checks of a profile, at any speed of the system's clock."""
LEASE = timedelta(seconds=60)
BATCH = 32
"""The most profiles that are taken and checked at a time."""
LOOK_SECONDS = 3.0
"""Wall time between two looks for profiles that are due."""


class PollSchedule(Protocol):
    async def follow(self, package_id: str, checks: Sequence[FirstCheck]) -> None: ...
    async def take(self, limit: int, lease: timedelta) -> Sequence[PolledProfile]: ...
    async def write(self, polled: PolledProfile, due_in: timedelta) -> None: ...


@dataclass(frozen=True, slots=True)
class PollPeriod:
    """The wall time between two checks of a profile. `rng` spreads the checks of the profiles over this time."""

    length: timedelta
    rng: Random

    @classmethod
    def of(cls, system_time: timedelta, clock: Clock, rng: Random) -> "PollPeriod":
        return cls(max(clock.wall(system_time), PERIOD_MIN), rng)

    def first_seconds(self) -> float:
        return self.length.total_seconds() * self.rng.uniform(0, 1)

    def next(self) -> timedelta:
        return self.length * self.rng.uniform(0.9, 1.1)


class HealthPoller:
    """A component; `on_change` is a callback of the table of packages."""

    def __init__(self, schedule: PollSchedule, drivers: Drivers, bus: Bus, now: Now, period: PollPeriod) -> None:
        self.name = "watch of profiles"
        self._schedule = schedule
        self._drivers = drivers
        self._bus = bus
        self._now = now
        self._period = period
        self._packages: dict[str, Package] = {}
        self._changed: set[str] = set()
        self._loop = Loop(self.name, self.poll_due)

    def on_change(self, package_id: str, configured: PackageConfigured | None) -> None:
        if configured is None:
            self._packages.pop(package_id, None)
        else:
            self._packages[package_id] = configured.package
        self._changed.add(package_id)
        self._loop.wake()

    async def start(self) -> None:
        await self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()

    def not_ready_reason(self) -> str | None:
        return None  # a profile's bad state at its gateway does not stop this service

    def failing(self) -> Mapping[str, str]:
        return self._loop.failing()

    def is_live(self) -> bool:
        return self._loop.is_live()

    async def poll_due(self) -> float:
        """Checks the profiles that are due; returns the seconds until the next look."""
        await self._follow_changed()
        due = await self._schedule.take(BATCH, LEASE)
        results = await asyncio.gather(*map(self._poll, due), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return 0 if len(due) == BATCH else LOOK_SECONDS

    async def report(self, package_id: str, profile: Profile, check: ProfileCheck) -> None:
        """Publishes the result of a check that was made on request, outside the schedule."""
        await self._publish(package_id, profile, check, f"asked/{self._now().isoformat()}")

    async def _publish(self, package_id: str, profile: Profile, check: ProfileCheck, report_id: str) -> None:
        await self._bus.publish(
            ProfileReported(
                profile_id=profile.profile_id,
                package_id=package_id,
                report_id=report_id,
                session=check.session,
                quality=check.quality,
                restriction=check.restriction,
                quota=check.quota,
                code=check.code,
                evidence=f"the sender asked the profile's gateway: {check.detail}",
                at=self._now(),
            )
        )

    async def _follow_changed(self) -> None:
        for package_id in tuple(self._changed):
            self._changed.discard(package_id)  # first, so that a change during the write is kept for the next run
            package = self._packages.get(package_id)
            profiles = () if package is None else package.profiles
            real = [profile for profile in profiles if profile.gateway.driver != "simulator"]
            checks = [FirstCheck(profile.profile_id, self._period.first_seconds()) for profile in real]
            try:
                await self._schedule.follow(package_id, checks)
            except BaseException:
                self._changed.add(package_id)
                raise

    async def _poll(self, polled: PolledProfile) -> None:
        """Checks one profile. The report is published before the row is written. After a crash between these two steps,
        the report is repeated with the same id."""
        package = self._packages.get(polled.package_id)
        profile = None if package is None else package.profile(polled.profile_id)
        driver = None if profile is None else self._drivers.get(profile.gateway.driver)
        updated = polled
        if profile is not None and driver is not None:
            check = await driver.check(profile)
            CHECKS.labels(profile.gateway.driver, "ok" if check.ok else "not_ok" if check.reached else "away").inc()
            updated = self._updated(polled, check)
            if updated != polled:
                report_id = f"watch/{updated.reports}/{updated.reported}"[:256]
                await self._publish(polled.package_id, profile, check, report_id)
        await self._schedule.write(updated, self._period.next())

    def _updated(self, polled: PolledProfile, check: ProfileCheck) -> PolledProfile:
        """The row after a report; unchanged if the gateway was not reached or the state needs no report."""
        now, state = self._now(), _state(check)
        repeat_due = polled.reported_at is None or now - polled.reported_at >= REPEAT
        if not check.reached or (state == polled.reported and not repeat_due):
            return polled
        return replace(polled, reported=state, reported_at=now, reports=polled.reports + 1)


def _state(check: ProfileCheck) -> str:
    """What is compared with the last report."""
    state = f"{check.session}/{check.quality}/{check.code}"
    limits = [each.model_dump_json() for each in (check.restriction, check.quota) if each is not None]
    return "/".join([state, *limits])
