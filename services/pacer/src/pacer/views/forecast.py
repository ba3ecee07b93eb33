"""Foreseeing: the forecast of a message that is not sent yet, and of the queue under other settings."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.forecast import ADDED, Outlook, Situation, foresee
from pacer.core.policy import Head, Rules
from pacer.core.rules_in_force import rules as rules_of
from pacer.core.schedule import turn
from pacer.sql.database_clock import system_now
from pacer.views.snapshot import read
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions


@dataclass(frozen=True, slots=True)
class Asked:
    """A message: how many deliveries each profile would get, some of its recipients, and when they may go."""

    deliveries: dict[str, int]
    recipients: Sequence[str]
    options: OpenOptions
    message_id: str | None = None
    """Of a message that is accepted: by the time it is asked about, some of it may be held or gone already."""


@dataclass(frozen=True, slots=True)
class Foreseeing:
    engine: AsyncEngine
    directory: PacerConfigCache
    clock: Clock

    async def message(self, package_id: str, asked: Asked) -> Outlook | None:
        """When the deliveries of a message would go, behind what waits already; None: the package is not known."""
        package = self.directory.package(package_id)
        if package is None:
            return None
        profiles = sorted(profile for profile, count in asked.deliveries.items() if count)
        return await self._foresee(package, profiles, asked)

    async def queue(self, package: Package) -> Outlook:
        """When everything that waits would have gone, if the package were as given."""
        return await self._foresee(package, sorted(package.profile_ids), None)

    async def _foresee(self, package: Package, profiles: Sequence[str], asked: Asked | None) -> Outlook:
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            message_id = None if asked is None else asked.message_id
            known = await read(connection, package.package_id, profiles, now, message_id)
        situations: list[Situation] = []
        for number, profile_id in enumerate(profiles):
            rules = self._rules(package, profile_id, now)
            if rules is not None:
                added = [] if asked is None else _added(asked, profile_id, number, len(profiles), now)
                situations.append(known.situation(profile_id, rules, added))
        arguments: tuple[Any, ...] = (package.package_id, situations, package.limits.per_day, known.package, now)
        return await asyncio.to_thread(foresee, *arguments)

    def _rules(self, package: Package, profile_id: str, now: datetime) -> Rules | None:
        profile = package.profile(profile_id)
        if profile is None:
            return None
        return rules_of(package, profile, self.directory.state(profile_id), self.directory.margins, now)


def _added(asked: Asked, profile_id: str, number: int, profiles: int, now: datetime) -> list[Head]:
    """A profile's deliveries of the message: it gets every so-many-th. All are taken for cold: the safe side."""
    total = sum(asked.deliveries.values())
    heads: list[Head] = []
    for place in range(asked.deliveries[profile_id]):
        index = number + place * profiles
        recipient = asked.recipients[index % len(asked.recipients)] if asked.recipients else ""
        turned = turn(asked.options, now, index, total, recipient)
        heads.append(Head(f"{ADDED}{profile_id}/{index}", turned.rank, turned.not_before, recipient, cold=True))
    return heads
