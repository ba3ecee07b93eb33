"""Explainer: why a delivery or a queue waits, from the same decisions that the release loop makes."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.explanations import DELIVERIES_AHEAD, NOTHING_WAITS, explain_bound
from pacer.core.limits import quarter_of_day, rolling_limits
from pacer.core.policy import RECIPIENT_BOUNDS, Decision, HeldDelivery, Release, Rules, Wait, decide
from pacer.core.release_pass import Due, run_pass
from pacer.core.schedule import IMMEDIATE
from pacer.core.waiting_queue import find_takers, is_waiting_queue, profile_of, waiting_queue
from pacer.release.facts import load_due, package_days, read_facts, recipient_bounds, to_facts
from pacer.release.outcome_requests import ASK_NOW_AFTER
from pacer.sql import release as sql
from pacer.sql import views
from pacer.sql.database_clock import system_now
from pacer.sql.overdue_outcomes import OVERDUE_COUNT
from spreader.clock import Clock
from spreader.contract.answers import (
    HeldPacedDelivery,
    LimitUse,
    NextRelease,
    PacedDelivery,
    PaceFactors,
    PackageQueue,
    ProfileQueue,
    ProfileRelease,
)
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Package
from spreader.runtime.rows import fetched

STOPS = frozenset({Bound.PACKAGE_PAUSED, Bound.PROFILE_PAUSED, Bound.OPEN_LANE_BLOCKED, Bound.CONFIGURATION_STALE})
"""The bounds that an operator or Kafka must end."""
AHEAD_COUNTED_MAX = 10_000
WAITING_COUNTED_MAX = 100_000
PROFILES_A_TURN = 50
"""How many profiles are explained at a time. Then other work of this process has its turn."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explainer:
    engine: AsyncEngine
    config: PacerConfigCache
    clock: Clock

    async def queue(self, package_id: str) -> PackageQueue | None:
        """The current state of every profile of a package; None: the package is not known."""
        package = self.config.package(package_id)
        if package is None:
            return None
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            params = {"profile_ids": list(package.profile_ids), "now": now, "message_id": None}
            rows = fetched(sql.PacedProfile, await connection.execute(views.PROFILES, params))
            at_gateway = await _at_gateway(connection, package_id)
            params_of_count = {"package_id": package_id, "before": now - self.clock.system(ASK_NOW_AFTER)}
            without_outcome = await connection.scalar(OVERDUE_COUNT, params_of_count)
            dues = [due for turn in _turns(rows) for due in await load_due(connection, turn, self.config, 1, now)]
            usage = fetched(views.UsageRow, await connection.execute(views.USED, params))
            contacts = fetched(views.ProfileCount, await connection.execute(views.UNANSWERED, params))
            sizes = fetched(views.ProfileCount, await connection.execute(views.QUEUE_SIZES, params))
            days = await package_days(connection, {package_id}, self.config, now)
            params = {"profile_ids": [waiting_queue(package_id)], "count_max": WAITING_COUNTED_MAX}
            waiting = fetched(views.HeldCount, await connection.execute(views.HELD, params))
        due_by_id = {due.profile_id: due for due in dues}
        used = {row.profile_id: row for row in usage}
        unanswered = Counter({row.profile_id: row.deliveries for row in contacts})
        held = Counter({row.profile_id: row.deliveries for row in sizes})
        profiles: list[ProfileQueue] = []
        for turn in _turns(package.profile_ids):
            await asyncio.sleep(0)
            for profile_id in turn:
                release = self._profile(package_id, profile_id, due_by_id.get(profile_id), at_gateway, now)
                rules = self.config.rules(package_id, profile_id, now)
                limits = _usage(rules, used.get(profile_id), unanswered[profile_id])
                profiles.append({**release, "held": held[profile_id], "limits": limits})
        per_day = package.limits.per_day
        package_day: LimitUse | None = None
        if per_day is not None:
            package_day = {"used": per_day - days[package_id].room, "limit": per_day}
        return {
            "package_id": package_id,
            "at": now,
            "held": held.total() + sum(row.held for row in waiting),
            "waiting_for_profile": sum(row.held for row in waiting),
            "rush_over": package.gap.rush_over,
            "profiles_in_rush": sum(due.facts.waiting > package.gap.rush_over for due in dues),
            "at_gateway": {
                "now": at_gateway,
                "max": package.limits.concurrent_sends,
                "without_outcome": without_outcome or 0,
            },
            "package_day": package_day,
            "profiles": profiles,
        }

    async def delivery(self, delivery_id: str) -> PacedDelivery | HeldPacedDelivery | None:
        """Every bound on a delivery's release and the one that binds; None: the delivery is not known."""
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            result = await connection.execute(views.DELIVERY_LOCATION, {"delivery_id": delivery_id})
            locations = fetched(views.DeliveryLocation, result)
            if not locations:
                return None
            rules = self.config.rules(locations[0].package_id, locations[0].profile_id, now)
            params = {
                "delivery_id": delivery_id,
                "now": now,
                "count_max": AHEAD_COUNTED_MAX,
                "per_recipient": rules and rules.limits.per_recipient_per_day,
            }
            (delivery,) = fetched(views.DeliveryView, await connection.execute(views.DELIVERY, params))
            decision = None
            if delivery.state == "held" and rules is not None:
                decision = await self._decide(connection, delivery, rules, now)
        if delivery.state == "held" and is_waiting_queue(delivery.profile_id):
            return {**_paced(delivery), **self._waiting(delivery)}
        return _explanation(delivery, decision, rules, now)

    def _waiting(self, delivery: views.DeliveryView) -> NextRelease:
        package = self.config.package(delivery.package_id)
        bound = Bound.WAITING_FOR_PROFILE
        why = "The package is not known." if package is None else self._why_waiting(package)
        return {"next_release": None, "bound": bound, "bounds": {bound: None}, "why": why}

    def _why_waiting(self, package: Package) -> str:
        return find_takers(package, self.config.states_of(package)).why_waiting

    async def _decide(
        self, connection: AsyncConnection, delivery: views.DeliveryView, rules: Rules, now: datetime
    ) -> Decision:
        profile_id, package_id = delivery.profile_id, delivery.package_id
        row = (await read_facts(connection, {profile_id: rules}, now))[profile_id]
        result = await connection.execute(views.PROFILES, {"profile_ids": [profile_id]})
        (profile,) = fetched(sql.PacedProfile, result)
        days = await package_days(connection, {package_id}, self.config, now)
        facts = to_facts(profile, row, rules, days.get(package_id))
        facts = replace(facts, at_gateway=await _at_gateway(connection, package_id))
        held = HeldDelivery(
            delivery.delivery_id,
            delivery.rank,
            delivery.not_before,
            delivery.recipient,
            delivery.cold,
            recipient_bounds(delivery.full_since),
        )
        return decide(rules, facts, held, now)

    def _profile(
        self, package_id: str, profile_id: str, due: Due | None, at_gateway: int, now: datetime
    ) -> ProfileRelease:
        rules = self.config.rules(package_id, profile_id, now)
        if due is None or rules is None:
            return {
                "profile_id": profile_id,
                "stopped": rules and rules.stopped,
                "due": 0,
                "last_release": None,
                **_next_release(None, rules, now),
            }
        (result,) = run_pass([due], {due.package_id: at_gateway}, now)
        return {
            "profile_id": profile_id,
            "stopped": rules.stopped,
            "due": due.facts.waiting,
            "due_counted_to": rules.gap.rush_over + 1,
            "last_release": due.facts.last_release,
            **_next_release(result.decision, rules, now),
            "factors": _factors(due, result.decision),
        }


def _turns(listed: Sequence[T]) -> list[Sequence[T]]:
    return [listed[first : first + PROFILES_A_TURN] for first in range(0, len(listed), PROFILES_A_TURN)]


def _next_release(decision: Decision | None, rules: Rules | None, now: datetime) -> NextRelease:
    match decision:
        case None:
            return _bounded(None, NOTHING_WAITS, {}, rules)
        case Release():
            return _bounded(now, "", {}, rules)
        case _:
            return _bounded(decision.until, decision.bound, decision.bounds, rules)


def _bounded(
    until: datetime | None, bound: str, bounds: Mapping[Any, datetime | None], rules: Rules | None
) -> NextRelease:
    why = bound if rules is None else explain_bound(bound, rules)
    return {"next_release": until, "bound": bound, "bounds": dict(bounds), "why": why}


def _factors(due: Due, decision: Decision | None) -> PaceFactors:
    if decision is None:
        return {"limit_factor": due.rules.factor, "warm_up": due.rules.warm_up}
    pace = decision.pace
    return {
        "base_seconds": pace.base_seconds,
        "pressure": pace.pressure,
        "tempo": pace.tempo,
        "mean_seconds": pace.mean_seconds,
        "spread": pace.spread,
        "gap_min_seconds": pace.gap(0).total_seconds(),
        "gap_max_seconds": pace.gap(1).total_seconds(),
        "slack_seconds": pace.slack(due.facts.position).total_seconds(),
        "position": due.facts.position,
        "sent_last_2_hours": due.facts.sent_last_2_hours,
        "limit_factor": due.rules.factor,
        "warm_up": due.rules.warm_up,
    }


def _usage(rules: Rules | None, used: views.UsageRow | None, unanswered: int) -> dict[str, LimitUse]:
    """How much of each limit is used. Where `limit` is None, the profile has no such limit."""
    if rules is None:
        return {}
    hour, three_hours, day = (0, 0, 0) if used is None else (used.hour, used.three_hours, used.day)
    limits: dict[str, LimitUse] = {
        Bound.HOUR_LIMIT: {"used": hour, "limit": rules.limits.per_hour},
        Bound.QUARTER_OF_DAY: {"used": hour, "limit": quarter_of_day(rules.limits)},
    }
    for limit, count in zip(rolling_limits(rules.limits)[1:], (three_hours, day), strict=True):
        limits[limit.bound] = {"used": count, "limit": limit.releases_max}
    new_contacts = used.contacts if used else 0
    limits[Bound.NEW_CONTACTS_LIMIT] = {"used": new_contacts, "limit": rules.limits.new_contacts_per_day}
    limits[Bound.UNANSWERED_BUDGET] = {"used": unanswered, "limit": rules.limits.unanswered_per_30_days}
    return limits


def _explanation(
    delivery: views.DeliveryView, decision: Decision | None, rules: Rules | None, now: datetime
) -> PacedDelivery | HeldPacedDelivery:
    next_release = None if decision is None else _next_release(decision, rules, now)
    if rules is None and delivery.state == "held":
        next_release = _bounded(None, Bound.CONFIGURATION_STALE, {}, None)
    if delivery.ahead and decision is not None and not (_is_own_bound(decision) or _is_stop(decision)):
        bounds = decision.bounds if isinstance(decision, Wait) else {}
        next_release = _bounded(None, DELIVERIES_AHEAD, {**bounds, DELIVERIES_AHEAD: None}, rules)
    return _paced(delivery) if next_release is None else {**_paced(delivery), **next_release}


def _paced(delivery: views.DeliveryView) -> PacedDelivery:
    return {
        "delivery_id": delivery.delivery_id,
        "state": delivery.state,
        "profile_id": profile_of(delivery.profile_id),
        "waiting_since": delivery.waiting_since,
        "attempt": delivery.attempt,
        "tried": list(delivery.tried),
        "waits_as": "immediate" if delivery.rank == IMMEDIATE else "ordinary",
        "asked_at": delivery.asked_at,
        "not_before": delivery.not_before,
        "put_off_by": delivery.put_off_by,
        "timing": delivery.timing,
        "cold_contact": delivery.cold,
        "ahead": delivery.ahead if delivery.state == "held" else 0,
        "ahead_counted_to": AHEAD_COUNTED_MAX,
        "released_at": delivery.released_at,
        "reason": delivery.reason,
    }


def _is_own_bound(decision: Decision) -> bool:
    """Whether the delivery's own schedule or its recipient binds, and not a bound of the whole queue."""
    return isinstance(decision, Wait) and decision.bound in {Bound.DELIVERY, *RECIPIENT_BOUNDS}


def _is_stop(decision: Decision) -> bool:
    """Whether the whole queue stands still until an event, such as the end of a pause. Then it does not matter how many
    deliveries are ahead."""
    return isinstance(decision, Wait) and decision.until is None and decision.bound in STOPS


async def _at_gateway(connection: AsyncConnection, package_id: str) -> int:
    rows = fetched(sql.PackageReleases, await connection.execute(sql.AT_GATEWAY, {"package_ids": [package_id]}))
    return sum(row.releases for row in rows)
