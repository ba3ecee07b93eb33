"""Forecaster: computes when a planned message will be released, and when a package's queue will be released under given
settings."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.forecast.message_share import MessageShare
from pacer.core.forecast.package_forecast import ForecastTask, PackageForecast
from pacer.core.forecast.plan import STEPS_OF_ANSWER, STEPS_OF_PREVIEW, QueueLoad, plan_forecast
from pacer.core.forecast.queue_snapshot import QueueSnapshot
from pacer.core.policy import Rules
from pacer.core.rules_in_force import rules_in_force
from pacer.sql.database_clock import system_now
from pacer.views.forecast_process import Purpose
from pacer.views.snapshot import PackageQueues, read_queues, read_snapshot
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import OpenOptions

STEPS: Mapping[Purpose, int] = {"answer": STEPS_OF_ANSWER, "preview": STEPS_OF_PREVIEW}
PROFILES_A_TURN = 50
"""After it has computed the rules of this many profiles, the forecaster lets other work of this process run."""

Compute = Callable[[ForecastTask, Purpose], Awaitable[PackageForecast]]


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """How many deliveries each profile would get, some of the recipients, and the options of the message."""

    deliveries: Mapping[str, int]
    recipients: Sequence[str]
    options: OpenOptions
    message_id: str | None = None
    """The message's id, if the message is accepted already. Then some of its deliveries may be held or released by
    now."""

    def shares(self, profile_ids: Sequence[str], now: datetime) -> dict[str, MessageShare]:
        """What each profile gets. With `n` profiles, each one gets every `n`-th delivery."""
        total, step = sum(self.deliveries.values()), len(profile_ids)
        return {
            profile_id: MessageShare(
                profile_id,
                self.options,
                self.recipients,
                now,
                total,
                range(number, number + step * self.deliveries[profile_id], step),
            )
            for number, profile_id in enumerate(profile_ids)
        }


@dataclass(frozen=True, slots=True)
class Forecaster:
    engine: AsyncEngine
    config: PacerConfigCache
    clock: Clock
    compute: Compute

    async def message(
        self, package_id: str, message: PlannedMessage, purpose: Purpose = "preview"
    ) -> PackageForecast | None:
        """When the message's deliveries will be released, behind those that wait already. None: the package is not
        known."""
        package = self.config.package(package_id)
        if package is None:
            return None
        profile_ids = sorted(profile for profile, count in message.deliveries.items() if count)
        return await self.compute(await self._task(package, profile_ids, message, purpose), purpose)

    async def queue(self, package: Package) -> PackageForecast:
        """When all waiting deliveries will be released, if the package has the given settings."""
        return await self.compute(await self._task(package, sorted(package.profile_ids), None, "preview"), "preview")

    async def _task(
        self, package: Package, profile_ids: Sequence[str], message: PlannedMessage | None, purpose: Purpose
    ) -> ForecastTask:
        """Only the profiles that the plan simulates are read in full."""
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            rules = await self._rules(package, profile_ids, now)
            shares = {} if message is None else message.shares(profile_ids, now)
            message_id = None if message is None else message.message_id
            queues = await read_queues(connection, profile_ids, message_id)
            loads = [_load(profile_id, in_force, shares, queues) for profile_id, in_force in rules.items()]
            plan = plan_forecast(loads, STEPS[purpose])
            per_day, planned = package.limits.per_day, list(plan.steps)
            state = await read_snapshot(connection, package.package_id, per_day, planned, now, message_id)
        snapshots = [
            QueueSnapshot(
                load.profile_id,
                rules[load.profile_id],
                state.releases.get(load.profile_id, ()),
                state.contacts.get(load.profile_id, ()),
                state.parts.get(load.profile_id, ()),
                shares[load.profile_id][load.gone :] if shares else (),
                load.gone,
                state.positions.get(load.profile_id, 0.5),
            )
            for load in loads
            if load.profile_id in plan.steps
        ]
        return ForecastTask(
            package.package_id, loads, plan, snapshots, per_day, state.package_releases, now, purpose == "preview"
        )

    async def _rules(self, package: Package, profile_ids: Sequence[str], now: datetime) -> dict[str, Rules]:
        """The rules of these profiles under the package's settings. Profiles that the package does not have are left
        out."""
        profiles = {profile.profile_id: profile for profile in package.profiles}
        rules: dict[str, Rules] = {}
        for number, profile_id in enumerate(profile_ids, start=1):
            if (profile := profiles.get(profile_id)) is not None:
                state = self.config.state(profile_id)
                rules[profile_id] = rules_in_force(package, profile, state, self.config.margins, now)
            if number % PROFILES_A_TURN == 0:
                await asyncio.sleep(0)
        return rules


def _load(profile_id: str, rules: Rules, shares: Mapping[str, MessageShare], queues: PackageQueues) -> QueueLoad:
    """Some of a message's deliveries may not be held any more. Then the forecast leaves out as many of the first
    deliveries, because these are released first."""
    ahead, deliveries = queues.waiting.get(profile_id, 0), len(shares.get(profile_id, ()))
    gone = min(queues.gone.get(profile_id, 0), deliveries)
    waiting = ahead + deliveries - gone
    forecast = deliveries if shares else waiting
    return QueueLoad(profile_id, waiting, forecast, gone, rules.limits.per_day, rules.stopped)
