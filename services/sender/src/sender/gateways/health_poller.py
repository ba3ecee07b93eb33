"""Watch: every profile at a real gateway is asked about now and then; what changed is told to whoever watches health.

Any number of senders share the work: who takes a profile has it for the length of a lease.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Protocol

import structlog

from sender.core.session_states import Checked
from sender.gateways.driver import Drivers
from sender.gateways.postgres import Watched
from sender.metrics import CHECKS
from spreader.clock import Clock, Now
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import PackageConfigured, ProfileReported
from spreader.kafka.bus import Bus
from spreader.runtime.loop import Loop

log = structlog.get_logger()

REPEAT = timedelta(hours=1)
"""Of the system's time. A lane that a failed send closed opens by a report that all is well, changed or not."""
PERIOD_LEAST = timedelta(seconds=5)
"""Of the machine's time, however fast the system's runs."""
LEASE = timedelta(seconds=60)
BATCH = 32
LOOK_SECONDS = 1.0
"""Of the machine's time, between looks for what is due."""


class WatchStore(Protocol):
    async def follow(self, package_id: str, first_in_seconds: dict[str, float]) -> None: ...
    async def take(self, limit: int, lease: timedelta) -> tuple[Watched, ...]: ...
    async def write(self, watched: Watched, due_in: timedelta) -> None: ...


@dataclass(frozen=True, slots=True)
class Period:
    """How often a profile is asked about, on the machine's clock; `rng` spreads the profiles over it."""

    length: timedelta
    rng: Random

    @classmethod
    def of(cls, system: timedelta, clock: Clock, rng: Random) -> "Period":
        return cls(max(clock.wall(system), PERIOD_LEAST), rng)

    def first(self) -> float:
        return self.length.total_seconds() * self.rng.uniform(0, 1)

    def next(self) -> timedelta:
        return self.length * self.rng.uniform(0.9, 1.1)


class Watch:
    """A part. `on_change` is what the table of packages calls."""

    def __init__(self, store: WatchStore, drivers: Drivers, bus: Bus, now: Now, period: Period) -> None:
        self.name = "watch of profiles"
        self._store = store
        self._drivers = drivers
        self._bus = bus
        self._now = now
        self._period = period
        self._packages: dict[str, Package] = {}
        self._changed: set[str] = set()
        self._loop = Loop(self.name, self.turn)

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
        return None  # what a gateway says of a profile is no trouble of ours

    def is_live(self) -> bool:
        return self._loop.is_live()

    async def turn(self) -> float:
        await self._follow()
        due = await self._store.take(BATCH, LEASE)
        ended = await asyncio.gather(*map(self._look, due), return_exceptions=True)
        for result in ended:
            if isinstance(result, BaseException):
                raise result
        return 0 if len(due) == BATCH else LOOK_SECONDS

    async def tell(self, package_id: str, profile: Profile, checked: Checked) -> None:
        """Somebody asked outside the rounds: what was answered is told at once."""
        await self._report(package_id, profile, checked, f"asked/{self._now().isoformat()}")

    async def _report(self, package_id: str, profile: Profile, checked: Checked, report_id: str) -> None:
        await self._bus.publish(
            ProfileReported(
                profile_id=profile.profile_id,
                package_id=package_id,
                report_id=report_id,
                session=checked.session,
                quality=checked.quality,
                code=checked.code,
                evidence=f"asked by us, the gateway of the profile answered: {checked.detail}",
                at=self._now(),
            )
        )

    async def _follow(self) -> None:
        for package_id in tuple(self._changed):
            self._changed.discard(package_id)  # first: what changes meanwhile is followed by the next turn
            package = self._packages.get(package_id)
            profiles = () if package is None else package.profiles
            watched = [each for each in profiles if each.gateway.driver != "simulator"]
            try:
                await self._store.follow(package_id, {each.profile_id: self._period.first() for each in watched})
            except BaseException:
                self._changed.add(package_id)
                raise

    async def _look(self, watched: Watched) -> None:
        """Publish first: a crash before the row is written reports the same again, under the same id."""
        package = self._packages.get(watched.package_id)
        profile = None if package is None else package.profile(watched.profile_id)
        driver = None if profile is None else self._drivers.get(profile.gateway.driver)
        told = watched
        if profile is not None and driver is not None:
            checked = await driver.check(profile)
            CHECKS.labels(profile.gateway.driver, "ok" if checked.ok else "not_ok" if checked.reached else "away").inc()
            told = self._told(watched, checked)
            if told != watched:
                await self._report(watched.package_id, profile, checked, f"watch/{told.reports}/{told.reported}"[:256])
        await self._store.write(told, self._period.next())

    def _told(self, watched: Watched, checked: Checked) -> Watched:
        """The row after a report, or as it was where there is nothing to tell. Silence tells nothing."""
        now, stands = self._now(), f"{checked.session}/{checked.quality}/{checked.code}"
        stale = watched.reported_at is None or now - watched.reported_at >= REPEAT
        if not checked.reached or (stands == watched.reported and not stale):
            return watched
        return replace(watched, reported=stands, reported_at=now, reports=watched.reports + 1)
