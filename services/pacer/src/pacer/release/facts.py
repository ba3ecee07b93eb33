"""Facts: what the policy asks about the profiles of a turn, read in a few statements for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.limits import CONTACT_WINDOWS, DAY, an_hour, rolling
from pacer.core.policy import RECIPIENT_LIMIT, UNTIL_ANSWERED, Bounds, Facts, Head, Pair, Rules
from pacer.core.release_pass import PACKAGE_DAY_LIMIT, Due
from pacer.sql import contacts as contacts
from pacer.sql import queue as sql


async def lock_packages(connection: AsyncConnection, packages: set[str]) -> dict[str, int]:
    """How many deliveries of each package are with the gateway; the packages stay locked until the turn is written.

    The lock comes before everything that is counted over a package: another pacer's turn must not count beside it.
    """
    asked = {"package_ids": sorted(packages)}
    await connection.execute(sql.PACKAGES_LOCK, asked)
    return {row.package_id: row.releases for row in await connection.execute(sql.AT_GATEWAY, asked)}


async def load(
    connection: AsyncConnection, rows: Sequence[Any], directory: PacerConfigCache, heads_max: int, now: datetime
) -> list[Due]:
    """What is due, for those of the locked profiles that are configured."""
    rules = {row.profile_id: found for row in rows if (found := directory.rules(row.profile_id, now)) is not None}
    known = [row for row in rows if row.profile_id in rules]
    facts = await profile_facts(connection, rules, now)
    heads = await _heads(connection, rules, heads_max, now)
    days = await package_days(connection, {row.package_id for row in known}, directory, now)
    return [
        Due(
            row.profile_id,
            row.package_id,
            rules[row.profile_id],
            to_facts(row, facts[row.profile_id], rules[row.profile_id], days.get(row.package_id)),
            tuple(heads.get(row.profile_id, ())),
            days[row.package_id].left if row.package_id in days else None,
        )
        for row in known
    ]


async def profile_facts(connection: AsyncConnection, rules: Mapping[str, Rules], now: datetime) -> dict[str, Any]:
    limits = [each.limits for each in rules.values()]
    asked = {
        "now": now,
        "profile_ids": list(rules),
        "per_hours": [an_hour(each) for each in limits],
        "per_3_hours": [each.per_3_hours for each in limits],
        "per_days": [each.per_day for each in limits],
        "new_contacts": [each.new_contacts_per_day for each in limits],
        "unanswereds": [each.unanswered_per_30_days for each in limits],
        "slacks": [each.slack_max for each in rules.values()],
        "rush_overs": [each.gap.rush_over for each in rules.values()],
    }
    return {row.profile_id: row for row in await connection.execute(sql.FACTS, asked)}


async def _heads(
    connection: AsyncConnection, rules: Mapping[str, Rules], heads_max: int, now: datetime
) -> dict[str, list[Head]]:
    """The first deliveries of each profile's parts; what lies in the wrong part by now is put into the right one."""
    asked = {
        "now": now,
        "heads": heads_max,
        "profile_ids": list(rules),
        "per_recipients": [each.limits.per_recipient_per_day for each in rules.values()],
    }
    heads: dict[str, list[Head]] = {}
    rows = (await connection.execute(sql.HEADS, asked)).all()
    for row in rows:
        heads.setdefault(row.profile_id, []).append(to_head(row, row.cold))
    strayed = [row for row in rows if row.cold != row.filed_cold]
    if strayed:
        refiled = {"delivery_ids": [row.delivery_id for row in strayed], "colds": [row.cold for row in strayed]}
        await connection.execute(contacts.REFILE, refiled)
    return heads


def to_head(row: Any, cold: bool) -> Head:
    full: Bounds = {} if row.full_since is None else {RECIPIENT_LIMIT: _room(row.full_since, DAY)}
    return Head(row.delivery_id, row.rank, row.not_before, row.recipient, cold, full)


@dataclass(frozen=True, slots=True)
class PackageDay:
    """What a package with a day limit has left; `room_at` where that is nothing."""

    left: int
    room_at: datetime | None


async def package_days(
    connection: AsyncConnection, packages: set[str], directory: PacerConfigCache, now: datetime
) -> dict[str, PackageDay]:
    known = [found for package in sorted(packages) if (found := directory.package(package)) is not None]
    limits = {package.package_id: package.limits.per_day for package in known if package.limits.per_day is not None}
    if not limits:
        return {}
    asked = {"now": now, "package_ids": list(limits), "per_days": list(limits.values())}
    rows = await connection.execute(sql.PACKAGE_DAY, asked)
    return {
        row.package_id: PackageDay(limits[row.package_id] - row.releases, row.oldest and _room(row.oldest, DAY))
        for row in rows
    }


def to_facts(row: Any, found: Any, rules: Rules, package_day: PackageDay | None) -> Facts:
    windows = [(limit.name, limit.window) for limit in rolling(rules.limits)]
    is_full = package_day is not None and package_day.left <= 0
    package_full: Bounds = {PACKAGE_DAY_LIMIT: package_day.room_at} if package_day and is_full else {}
    return Facts(
        last_release=row.last_release,
        free=_full(windows, (found.hour, found.three_hours, found.day)),
        sent_lately=found.lately,
        waiting=found.waiting,
        position=row.position,
        at_gateway=0,
        contacts_free=_full(CONTACT_WINDOWS, (found.contacts, found.unanswered)),
        package_free=package_full,
        pair=_pair(found),
    )


def _pair(found: Any) -> Pair | None:
    """None also where the second of the two places is not answered: nobody knows when it comes back."""
    two = found.second and _room(found.second, DAY)
    return two and Pair(found.first + DAY, two, found.places)


def _full(windows: Sequence[tuple[str, timedelta]], newest: Sequence[datetime | None]) -> Bounds:
    """When each limit has room again whose window is full, by the release that fills it."""
    return {name: _room(at, window) for (name, window), at in zip(windows, newest, strict=True) if at is not None}


def _room(effective_at: datetime, window: timedelta) -> datetime | None:
    """When a full window has room again: when the release that fills it falls out, once it is answered."""
    return UNTIL_ANSWERED if effective_at.year == MAXYEAR else effective_at + window
