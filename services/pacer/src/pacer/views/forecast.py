"""Forecaster: computes when a planned message will be released, and when a package's queue will be released under given
settings."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.forecast import ADDED_PREFIX, PackageForecast, QueueSnapshot, forecast_package
from pacer.core.policy import HeldDelivery, Rules
from pacer.core.rules_in_force import rules_in_force
from pacer.core.schedule import schedule_slot
from pacer.sql.database_clock import system_now
from pacer.views.snapshot import read_snapshot
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """How many deliveries each profile would get, some of the recipients, and the options of the message."""

    deliveries: dict[str, int]
    recipients: Sequence[str]
    options: OpenOptions
    message_id: str | None = None
    """The id, if the message is accepted already. Then some of its deliveries may be held or released by now."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    engine: AsyncEngine
    config: PacerConfigCache
    clock: Clock

    async def message(self, package_id: str, message: PlannedMessage) -> PackageForecast | None:
        """When the message's deliveries will be released, behind those that wait; None: the package is not known."""
        package = self.config.package(package_id)
        if package is None:
            return None
        profiles = sorted(profile for profile, count in message.deliveries.items() if count)
        return await self._forecast(package, profiles, message)

    async def queue(self, package: Package) -> PackageForecast:
        """When all waiting deliveries will be released, if the package has the given settings."""
        return await self._forecast(package, sorted(package.profile_ids), None)

    async def _forecast(
        self, package: Package, profiles: Sequence[str], message: PlannedMessage | None
    ) -> PackageForecast:
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            message_id = None if message is None else message.message_id
            snapshot = await read_snapshot(connection, package.package_id, profiles, now, message_id)
        snapshots: list[QueueSnapshot] = []
        for number, profile_id in enumerate(profiles):
            rules = self._rules(package, profile_id, now)
            if rules is not None:
                added = [] if message is None else _added(message, profile_id, number, len(profiles), now)
                snapshots.append(snapshot.profile(profile_id, rules, added))
        return await asyncio.to_thread(
            forecast_package, package.package_id, snapshots, package.limits.per_day, snapshot.package_releases, now
        )

    def _rules(self, package: Package, profile_id: str, now: datetime) -> Rules | None:
        profile = package.profile(profile_id)
        if profile is None:
            return None
        return rules_in_force(package, profile, self.config.state(profile_id), self.config.margins, now)


def _added(message: PlannedMessage, profile_id: str, number: int, profiles: int, now: datetime) -> list[HeldDelivery]:
    """The message's deliveries that this profile would get. The deliveries go to the profiles in turn: of n profiles,
    profile `number` gets every n-th delivery, beginning with delivery `number`.

    All recipients count as cold contacts, so the forecast shows the slowest case.
    """
    total = sum(message.deliveries.values())
    added: list[HeldDelivery] = []
    for place in range(message.deliveries[profile_id]):
        index = number + place * profiles
        recipient = message.recipients[index % len(message.recipients)] if message.recipients else ""
        slot = schedule_slot(message.options, now, index, total, recipient)
        delivery_id = f"{ADDED_PREFIX}{profile_id}/{index}"
        added.append(HeldDelivery(delivery_id, slot.rank, slot.not_before, recipient, cold=True))
    return added
