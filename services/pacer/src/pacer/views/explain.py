"""Explaining: why has this not gone yet? Answered by the very decisions that the release loop makes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.explanations import meaning
from pacer.core.limits import HOUR_LIMIT, QUARTER_OF_DAY, quarter_of_day, rolling
from pacer.core.policy import OF_THE_RECIPIENT, Bounds, Decision, Release, Rules, Wait, decide
from pacer.core.release_pass import Due, look
from pacer.release.facts import load, package_days, profile_facts, to_facts, to_head
from pacer.sql import queue as sql
from pacer.sql import views as views
from pacer.sql.database_clock import system_now
from spreader.clock import Clock

AHEAD = "deliveries ahead"
AHEAD_COUNTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Explaining:
    engine: AsyncEngine
    directory: PacerConfigCache
    clock: Clock

    async def queue(self, package_id: str) -> dict[str, Any] | None:
        """Every profile of a package as the pacer sees it now; None: it does not know the package."""
        package = self.directory.package(package_id)
        if package is None:
            return None
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            asked = {"profile_ids": list(package.profile_ids), "now": now}
            rows = (await connection.execute(views.PROFILES, asked)).all()
            at_gateway = await _at_gateway(connection, package_id)
            dues = await load(connection, rows, self.directory, 1, now)
            used = {row.profile_id: row for row in await connection.execute(views.USED, asked)}
            unanswered = await _counted(connection, views.UNANSWERED, asked)
            held = await _held(connection, asked)
            days = await package_days(connection, {package_id}, self.directory, now)
        by_id = {due.profile_id: due for due in dues}
        profiles = [
            self._profile(profile_id, by_id.get(profile_id), at_gateway, now)
            | {"held": held.get(profile_id, 0)}
            | _usage(self.directory.rules(profile_id, now), used.get(profile_id), unanswered.get(profile_id, 0))
            for profile_id in package.profile_ids
        ]
        return {
            "package_id": package_id,
            "at": now,
            "held": sum(held.values()),
            "rush_over": package.gap.rush_over,
            "profiles_in_rush": sum(due.facts.waiting > package.gap.rush_over for due in dues),
            "at_gateway": {"now": at_gateway, "max": package.limits.concurrent_sends},
            "package_day": None if package.limits.per_day is None else {
                "used": package.limits.per_day - days[package_id].left, "limit": package.limits.per_day,
            },
            "profiles": profiles,
        }  # fmt: skip

    async def delivery(self, delivery_id: str) -> dict[str, Any] | None:
        """Every bound on a delivery's release and the one that holds it; None: the pacer does not have it."""
        async with self.engine.connect() as connection:
            now = await system_now(connection, self.clock)
            place = (await connection.execute(views.DELIVERY_PLACE, {"delivery_id": delivery_id})).one_or_none()
            if place is None:
                return None
            rules = self.directory.rules(place.profile_id, now)
            asked = {
                "delivery_id": delivery_id,
                "now": now,
                "count_max": AHEAD_COUNTED_MAX,
                "per_recipient": rules and rules.limits.per_recipient_per_day,
            }
            row = (await connection.execute(views.DELIVERY, asked)).one()
            decision = None
            if row.state == "held" and rules is not None:
                decision = await self._decision(connection, row, rules, now)
        return _told(row, decision, rules, now)

    async def _decision(self, connection: AsyncConnection, row: Any, rules: Rules, now: datetime) -> Decision:
        found = (await profile_facts(connection, {row.profile_id: rules}, now))[row.profile_id]
        profiles = await connection.execute(views.PROFILES, {"profile_ids": [row.profile_id]})
        days = await package_days(connection, {row.package_id}, self.directory, now)
        facts = to_facts(profiles.one(), found, rules, days.get(row.package_id))
        facts = replace(facts, at_gateway=await _at_gateway(connection, row.package_id))
        return decide(rules, facts, to_head(row, row.is_cold), now)

    def _profile(self, profile_id: str, due: Due | None, at_gateway: int, now: datetime) -> dict[str, Any]:
        rules = self.directory.rules(profile_id, now)
        shown: dict[str, Any] = {"profile_id": profile_id, "stopped": rules and rules.stopped}
        if due is None or rules is None:
            return shown | {"due": 0, "last_release": None, **_next(None, rules, now)}
        (looked,) = look([due], {due.package_id: at_gateway}, now)
        return shown | {
            "due": due.facts.waiting,
            "due_counted_to": rules.gap.rush_over + 1,
            "last_release": due.facts.last_release,
            **_next(looked.decision, rules, now),
            "factors": _factors(due, looked.decision),
        }


def _next(decision: Decision | None, rules: Rules | None, now: datetime) -> dict[str, Any]:
    match decision:
        case None:
            return _bounded(None, "nothing waits", {}, rules)
        case Release():
            return _bounded(now, "", {}, rules)
        case _:
            return _bounded(decision.until, decision.bound, decision.bounds, rules)


def _bounded(until: datetime | None, bound: str, bounds: Bounds, rules: Rules | None) -> dict[str, Any]:
    why = bound if rules is None else meaning(bound, rules)
    return {"next_release": until, "bound": bound, "bounds": dict(bounds), "why": why}


def _factors(due: Due, decision: Decision | None) -> dict[str, Any]:
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
        "sent_last_2_hours": due.facts.sent_lately,
        "limit_factor": due.rules.factor,
        "warm_up": due.rules.warm_up,
    }


def _usage(rules: Rules | None, used: Any, unanswered: int) -> dict[str, Any]:
    """How much of each limit in force is used; a limit that is null does not hold."""
    if rules is None:
        return {"limits": {}}
    counts = (0, 0, 0) if used is None else (used.hour, used.three_hours, used.day)
    hour = {"used": counts[0], "limit": rules.limits.per_hour}
    quarter = {"used": counts[0], "limit": quarter_of_day(rules.limits)}
    shown = {HOUR_LIMIT: hour, QUARTER_OF_DAY: quarter} | {
        limit.name: {"used": count, "limit": limit.releases_max}
        for limit, count in zip(rolling(rules.limits)[1:], counts[1:], strict=True)
    }
    contacts = {"used": used.contacts if used else 0, "limit": rules.limits.new_contacts_per_day}
    budget = {"used": unanswered, "limit": rules.limits.unanswered_per_30_days}
    return {"limits": {**shown, "new contacts limit": contacts, "unanswered budget": budget}}


def _told(row: Any, decision: Decision | None, rules: Rules | None, now: datetime) -> dict[str, Any]:
    next_release = {} if decision is None else _next(decision, rules, now)
    if row.ahead and decision is not None and not _is_its_own(decision):
        bounds = decision.bounds if isinstance(decision, Wait) else {}
        next_release = _bounded(None, AHEAD, {**bounds, AHEAD: None}, rules)
    return {
        "delivery_id": row.delivery_id,
        "state": row.state,
        "profile_id": row.profile_id,
        "attempt": row.attempt,
        "tried": list(row.tried),
        "waits_as": "immediate" if row.rank == 0 else "ordinary",
        "asked_at": row.asked_at,
        "not_before": row.not_before,
        "put_off_by": row.put_off_by,
        "timing": row.timing,
        "cold_contact": row.is_cold,
        "ahead": row.ahead if row.state == "held" else 0,
        "ahead_counted_to": AHEAD_COUNTED_MAX,
        "released_at": row.released_at,
        "reason": row.reason,
        **next_release,
    }


def _is_its_own(decision: Decision) -> bool:
    """Whether what holds the delivery is its own schedule or its recipient, and no bound of the whole queue."""
    return isinstance(decision, Wait) and decision.bound in {"delivery", *OF_THE_RECIPIENT}


async def _at_gateway(connection: AsyncConnection, package_id: str) -> int:
    rows = await connection.execute(sql.AT_GATEWAY, {"package_ids": [package_id]})
    return sum(row.releases for row in rows)


async def _counted(connection: AsyncConnection, statement: Any, asked: Mapping[str, Any]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for row in await connection.execute(statement, asked):
        counted[row.profile_id] = counted.get(row.profile_id, 0) + 1
    return counted


async def _held(connection: AsyncConnection, asked: Mapping[str, Any]) -> dict[str, int]:
    held: dict[str, int] = {}
    for row in await connection.execute(views.QUEUE_PARTS, {**asked, "message_id": None}):
        held[row.profile_id] = held.get(row.profile_id, 0) + row.deliveries
    return held
