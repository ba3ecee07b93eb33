"""Facts: what the policy asks about the profiles of a turn, read in a few statements for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer import postgres as sql
from pacer.core.limits import DAY, rolling
from pacer.core.policy import UNTIL_ANSWERED, Facts, Head, Rules
from pacer.core.turn import PACKAGE_DAY_LIMIT, Due
from pacer.directory import Directory


async def lock_packages(connection: AsyncConnection, packages: set[str]) -> dict[str, int]:
    """How many deliveries of each package are with the gateway; the packages stay locked until the turn is written.

    The lock comes before everything that is counted over a package: another pacer's turn must not count beside it.
    """
    asked = {"package_ids": sorted(packages)}
    await connection.execute(sql.PACKAGES_LOCK, asked)
    return {row.package_id: row.releases for row in await connection.execute(sql.AT_GATEWAY, asked)}


async def load(connection: AsyncConnection, rows: Sequence[Any], directory: Directory, now: datetime) -> list[Due]:
    """What is due, for those of the locked profiles that are configured."""
    rules = {row.profile_id: found for row in rows if (found := directory.rules(row.profile_id)) is not None}
    known = [row for row in rows if row.profile_id in rules]
    facts = await _profiles(connection, rules, now)
    heads = await _heads(connection, list(rules))
    days = await _package_days(connection, {row.package_id for row in known}, directory, now)
    return [
        Due(
            row.profile_id,
            row.package_id,
            rules[row.profile_id],
            _facts(row, facts[row.profile_id], rules[row.profile_id], days.get(row.package_id)),
            tuple(heads.get(row.profile_id, ())),
            days[row.package_id].left if row.package_id in days else None,
        )
        for row in known
    ]


async def _profiles(connection: AsyncConnection, rules: Mapping[str, Rules], now: datetime) -> dict[str, Any]:
    asked = {
        "now": now,
        "profile_ids": list(rules),
        "per_hours": [each.limits.per_hour for each in rules.values()],
        "per_3_hours": [each.limits.per_3_hours for each in rules.values()],
        "per_days": [each.limits.per_day for each in rules.values()],
        "rush_overs": [each.gap.rush_over for each in rules.values()],
    }
    return {row.profile_id: row for row in await connection.execute(sql.FACTS, asked)}


async def _heads(connection: AsyncConnection, profiles: Sequence[str]) -> dict[str, list[Head]]:
    heads: dict[str, list[Head]] = {}
    for row in await connection.execute(sql.HEADS, {"profile_ids": profiles}):
        heads.setdefault(row.profile_id, []).append(Head(row.delivery_id, row.rank, row.not_before))
    return heads


@dataclass(frozen=True, slots=True)
class PackageDay:
    """What a package with a day limit has left; `room_at` where that is nothing."""

    left: int
    room_at: datetime | None


async def _package_days(
    connection: AsyncConnection, packages: set[str], directory: Directory, now: datetime
) -> dict[str, PackageDay]:
    limits = {package: limit for package in sorted(packages) if (limit := directory.package_per_day(package))}
    if not limits:
        return {}
    asked = {"now": now, "package_ids": list(limits), "per_days": list(limits.values())}
    rows = await connection.execute(sql.PACKAGE_DAY, asked)
    return {
        row.package_id: PackageDay(limits[row.package_id] - row.releases, row.oldest and _room(row.oldest, DAY))
        for row in rows
    }


def _facts(row: Any, found: Any, rules: Rules, package_day: PackageDay | None) -> Facts:
    oldest = dict(zip(rolling(rules.limits), (found.hour, found.three_hours, found.day), strict=True))
    full = {limit.name: _room(at, limit.window) for limit, at in oldest.items() if at is not None}
    if package_day is not None and package_day.left <= 0:
        full[PACKAGE_DAY_LIMIT] = package_day.room_at
    return Facts(
        last_release=row.last_release,
        free=full,
        sent_lately=found.lately,
        waiting=found.waiting,
        position=row.position,
        at_gateway=0,
    )


def _room(effective_at: datetime, window: timedelta) -> datetime | None:
    """When a full window has room again: when the release that fills it falls out, once it is answered."""
    return UNTIL_ANSWERED if effective_at.year == MAXYEAR else effective_at + window
