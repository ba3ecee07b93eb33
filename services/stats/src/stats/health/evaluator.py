"""Evaluator: the loop that computes the health, limit factor, closures and alerts of profiles from their evidence.

An evaluation is one transaction that locks its profiles. So two instances that evaluate the same profile come to the
same result. All profiles are evaluated every 5 minutes, which also makes up for an evaluation lost in a crash.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.clock import Now
from spreader.contract.configuration import Profile
from spreader.contract.ids import new_id
from spreader.runtime.postgres import is_given_up, is_transient
from stats.config_cache import StatsConfigCache
from stats.core.alerts import StoredAlert, differences, since_added
from stats.core.condition import Evaluation, evaluate
from stats.core.evidence import AccountStatus, Evidence, PackageBaseline
from stats.core.evidence_assembly import assemble_evidence
from stats.counting.lane_closures import LaneClosures
from stats.counting.sql_changes import note_changes
from stats.counting.sql_closures import account_statuses, recent_closures
from stats.health.sql_alerts import open_alerts, save_alerts
from stats.health.sql_conditions import lock_conditions, save_conditions
from stats.health.sql_evidence import STUCK_AFTER, package_baselines, raw_evidence
from stats.metrics import JUDGED

log = structlog.get_logger()

TURN_SECONDS = 2.0
AT_ONCE_MAX = 200
FAILED_AT_ONCE_MAX = 20
ALONE_SECONDS = 30.0
"""For how long a turn evaluates profiles one by one. The remaining profiles wait for the next turn."""
AGAIN_SECONDS = 10.0
"""The shortest real time between two evaluations of a profile whose counts keep changing."""
ALL_EVERY = timedelta(minutes=5)


class EvaluationFailed(Exception):
    """Some profiles could not be evaluated. All others were evaluated."""


@dataclass
class Evaluator:
    engine: AsyncEngine
    config: StatsConfigCache
    closures: LaneClosures
    clock: Now
    on_evaluated: Callable[[Iterable[str]], None]
    """Called with the evaluated profiles, after the commit."""
    is_behind: Callable[[], bool] = lambda: False
    """Whether counted messages may have receipts that stats has not read yet. While this is so, no profile is
    evaluated."""
    can_detect_stuck: Callable[[], bool] = lambda: True
    """Whether stats has been reading for long enough that a missing acknowledgement is evidence."""
    again_seconds: float = AGAIN_SECONDS
    alone_seconds: float = ALONE_SECONDS
    _waiting: dict[str, None] = field(default_factory=dict[str, None], init=False)
    _evaluated_at: dict[str, float] = field(default_factory=dict[str, float], init=False)
    _added_at: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)
    _failed: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """The profiles whose last evaluation failed, with the error. Each of them is evaluated alone, so that it does not
    stop the evaluation of others."""
    _all_at: datetime | None = field(default=None, init=False)

    def schedule(self, profiles: Iterable[str]) -> None:
        """Evaluate these profiles soon, because their counts have changed."""
        self._waiting.update(dict.fromkeys(profiles))

    def schedule_now(self, profiles: Iterable[str]) -> None:
        """Evaluate these profiles in the next turn, because their lanes have changed."""
        for profile in profiles:
            self._evaluated_at.pop(profile, None)
            self._waiting[profile] = None

    def _schedule_added(self) -> None:
        """Evaluate the profiles that were added since the last turn. This is needed because an earlier profile with the
        same id may still have open alerts."""
        added_at = self.config.added_at()
        self.schedule_now(profile for profile, at in added_at.items() if self._added_at.get(profile) != at)
        self._added_at = added_at

    async def turn(self) -> float:
        if self.is_behind():
            return TURN_SECONDS
        now = self.clock()
        if self._all_at is None or now - self._all_at >= ALL_EVERY:
            self._all_at = now
            self.schedule(self.config.package_of_profile())
        self._schedule_added()
        before = time.monotonic() - self.again_seconds
        due = [profile for profile in self._waiting if self._evaluated_at.get(profile, before) <= before]
        batch = [profile for profile in due if profile not in self._failed][:AT_ONCE_MAX]
        alone = [profile for profile in due if profile in self._failed][:FAILED_AT_ONCE_MAX]
        for profile in (*batch, *alone):  # before the evaluation: a change meanwhile schedules the profile again
            self._waiting.pop(profile, None)
        try:
            await self._evaluate(batch, alone, now)
        except EvaluationFailed:
            raise  # all other profiles are evaluated, or wait for the next turn
        except BaseException:
            self.schedule_now((*batch, *alone))
            raise
        return 0 if len(due) > AT_ONCE_MAX else TURN_SECONDS

    async def _evaluate(self, batch: Sequence[str], alone: Sequence[str], now: datetime) -> None:
        """Evaluate a batch together. If this fails although Postgres works, the profiles of the batch are evaluated one
        by one. The profiles in `alone`, which failed before, are always evaluated one by one.

        If a profile cannot be evaluated, the others are still evaluated, and then EvaluationFailed is raised. But an
        error of the database server is raised at once.
        """
        try:
            await self.evaluate(batch, now)
        except Exception as error:
            if _is_of_server(error):
                raise
            alone = (*batch, *alone)
        else:
            self._evaluated_at.update(dict.fromkeys(batch, time.monotonic()))
        began = time.monotonic()
        for number, profile in enumerate(alone):
            if number and time.monotonic() - began >= self.alone_seconds:
                self._waiting = {**dict.fromkeys(alone[number:]), **self._waiting}
                break
            try:
                await self.evaluate((profile,), now)
            except Exception as error:
                if _is_of_server(error):
                    raise
                if profile not in self._failed:
                    log.exception("a profile cannot be evaluated; trying again", profile_id=profile)
                self._failed[profile] = f"{type(error).__name__}: {error}"
                self._waiting[profile] = None
            else:
                self._failed.pop(profile, None)
            self._evaluated_at[profile] = time.monotonic()
        if alone and self._failed:
            raise EvaluationFailed(f"{len(self._failed)} profiles, among them {next(iter(self._failed.items()))}")

    async def evaluate(self, names: Sequence[str], now: datetime) -> None:
        packages, configured = self.config.package_of_profile(), self.config.profiles()
        profiles = {name: configured[name] for name in names if name in configured}
        if not profiles:
            return
        added_at = self.config.added_at(profiles)
        async with self.engine.begin() as connection:
            known = await lock_conditions(connection, added_at)
            alerts, old_alerts = since_added(await open_alerts(connection, profiles), added_at)
            evidence = await self._evidence(connection, profiles, now)
            evaluations = {
                name: evaluate(name, evidence[name], known.get(name), alerts.get(name, {}), now)
                for name in sorted(profiles)
            }
            await save_conditions(connection, {name: result.condition for name, result in evaluations.items()})
            changes = [(name, change) for name, result in evaluations.items() for change in result.changes]
            await note_changes(connection, changes, now)
            signs = [sign for result in evaluations.values() for sign in result.signs]
            await self.closures.apply(connection, signs, (), now)
            changed_alerts = [
                alert
                for name, result in evaluations.items()
                for alert in _alerts(name, packages[name], alerts.get(name, {}), result, now)
            ]
            await save_alerts(connection, [replace(alert, cleared_at=now) for alert in old_alerts], now)
            await save_alerts(connection, changed_alerts, now)
        JUDGED.inc(len(evaluations))
        self.on_evaluated(evaluations)

    async def _evidence(
        self, connection: AsyncConnection, profiles: Mapping[str, Profile], now: datetime
    ) -> dict[str, Evidence]:
        packages, added_at = self.config.package_of_profile(), self.config.added_at(profiles)
        raw = await raw_evidence(connection, added_at, now)
        baselines = await package_baselines(connection, {packages[name] for name in profiles}, now)
        accounts = await account_statuses(connection, added_at)
        closures = await recent_closures(connection, added_at, now)
        can_detect_stuck = self.can_detect_stuck()
        quiet = {each.package_id for each in self.config.packages() if each.recipient_quiet_hours is not None}
        return {
            name: assemble_evidence(
                raw[name],
                profile,
                baselines.get(packages[name], PackageBaseline()),
                accounts.get(name, AccountStatus()),
                closures.get(name, ()),
                STUCK_AFTER if can_detect_stuck and profile.gateway.driver != "simulator" else None,
                now,
                has_quiet_hours=packages[name] in quiet,
            )
            for name, profile in profiles.items()
        }


def _is_of_server(error: Exception) -> bool:
    """Whether the database server caused the error, so that it concerns every profile. A statement that takes too long
    does not count, because one profile may be the cause."""
    return is_transient(error) and not is_given_up(error)


def _alerts(
    profile_id: str, package_id: str, known: Mapping[str, StoredAlert], evaluation: Evaluation, now: datetime
) -> list[StoredAlert]:
    """The raised and the changed alerts of a profile."""
    new, changed = differences(known, evaluation.alert_reasons, now)
    raised = [
        StoredAlert(
            alert_id=new_id("alr", now),
            profile_id=profile_id,
            package_id=package_id,
            kind=alert.kind,
            severity=alert.severity,
            evidence=alert.evidence,
            raised_at=now,
            quiet_since=alert.quiet_since,
        )
        for alert in new
    ]
    return [*raised, *changed]
