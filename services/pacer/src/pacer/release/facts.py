"""Facts: reads what the policy needs to know about the profiles of a pass. A few statements read the facts of all
profiles together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.limits import CONTACT_WINDOWS, DAY, hourly_limit, rolling_limits
from pacer.core.policy import UNTIL_ANSWERED, Bounds, Facts, HeldDelivery, Pair, Rules
from pacer.core.release_pass import Due
from pacer.sql import contacts
from pacer.sql import release as sql
from spreader.contract.bounds import Bound
from spreader.runtime.rows import arrays, fetched


async def lock_packages(connection: AsyncConnection, package_ids: set[str]) -> dict[str, int]:
    """Lock the packages until the pass is written; returns how many deliveries of each are at the gateway.

    A pass counts a package's releases only while it holds this lock, so that no other pass counts them at the same
    time.
    """
    params = {"package_ids": sorted(package_ids)}
    await connection.execute(sql.PACKAGES_LOCK, params)
    rows = fetched(sql.PackageReleases, await connection.execute(sql.AT_GATEWAY, params))
    return {row.package_id: row.releases for row in rows}


async def load_due(
    connection: AsyncConnection,
    profiles: Sequence[sql.PacedProfile],
    config: PacerConfigCache,
    heads_max: int,
    now: datetime,
) -> list[Due]:
    """The profiles with their rules, facts and first deliveries. A profile is left out if the pacer does not know its
    package, or if the package does not have the profile."""
    rules = {
        profile.profile_id: in_force
        for profile in profiles
        if (in_force := config.rules(profile.package_id, profile.profile_id, now)) is not None
    }
    configured = [profile for profile in profiles if profile.profile_id in rules]
    facts = await read_facts(connection, rules, now)
    heads = await _heads(connection, rules, heads_max, now)
    days = await package_days(connection, {profile.package_id for profile in configured}, config, now)
    return [
        Due(
            profile.profile_id,
            profile.package_id,
            rules[profile.profile_id],
            to_facts(profile, facts[profile.profile_id], rules[profile.profile_id], days.get(profile.package_id)),
            tuple(heads.get(profile.profile_id, ())),
            days[profile.package_id].room if profile.package_id in days else None,
        )
        for profile in configured
    ]


async def read_facts(connection: AsyncConnection, rules: Mapping[str, Rules], now: datetime) -> dict[str, sql.FactsRow]:
    """The facts of each profile under its rules, by profile id."""
    limits = [
        sql.LimitsRow(
            profile_id=profile_id,
            slack=in_force.slack_max,
            per_hour=hourly_limit(in_force.limits),
            per_3_hours=in_force.limits.per_3_hours,
            per_day=in_force.limits.per_day,
            new_contacts=in_force.limits.new_contacts_per_day,
            unanswered=in_force.limits.unanswered_per_30_days,
            rush_over=in_force.gap.rush_over,
        )
        for profile_id, in_force in rules.items()
    ]
    result = await connection.execute(sql.FACTS, {**arrays(sql.LimitsRow, limits), "now": now})
    return {row.profile_id: row for row in fetched(sql.FactsRow, result)}


async def _heads(
    connection: AsyncConnection, rules: Mapping[str, Rules], heads_max: int, now: datetime
) -> dict[str, list[HeldDelivery]]:
    """The first deliveries of each part of each queue, by profile id.

    A contact may become cold, or stop being cold, while a delivery to it waits. In that case this function also moves
    the delivery, in the database, to the other part of its queue.
    """
    limits = [
        sql.RecipientLimit(profile_id, in_force.limits.per_recipient_per_day) for profile_id, in_force in rules.items()
    ]
    params = {**arrays(sql.RecipientLimit, limits), "now": now, "heads": heads_max}
    rows = fetched(sql.HeadRow, await connection.execute(sql.HEADS, params))
    heads: dict[str, list[HeldDelivery]] = {}
    for row in rows:
        bounds = recipient_bounds(row.full_since)
        head = HeldDelivery(row.delivery_id, row.rank, row.not_before, row.recipient, row.cold, bounds)
        heads.setdefault(row.profile_id, []).append(head)
    moved = [contacts.ContactClass(row.delivery_id, row.cold) for row in rows if row.cold != row.filed_cold]
    if moved:
        await connection.execute(contacts.CONTACT_CLASS_CORRECT, arrays(contacts.ContactClass, moved))
    return heads


def recipient_bounds(full_since: datetime | None) -> Bounds:
    """`full_since`: when the gateway answered the release that fills the recipient's limit. None: the limit has
    room."""
    return {} if full_since is None else {Bound.RECIPIENT_LIMIT: _room_at(full_since, DAY)}


@dataclass(frozen=True, slots=True)
class PackageDay:
    """How many releases a package's daily limit still allows."""

    room: int
    room_at: datetime | None
    """When there is room again. It has a meaning only if `room` is 0 or less. None: the gateway has not answered the
    release that fills the limit."""


async def package_days(
    connection: AsyncConnection, package_ids: set[str], config: PacerConfigCache, now: datetime
) -> dict[str, PackageDay]:
    """What is left of the daily limit of each package that has one, by package id."""
    packages = [package for package_id in sorted(package_ids) if (package := config.package(package_id)) is not None]
    limits = {package.package_id: package.limits.per_day for package in packages if package.limits.per_day is not None}
    if not limits:
        return {}
    rows = [sql.PackageLimit(package_id, per_day) for package_id, per_day in limits.items()]
    result = await connection.execute(sql.PACKAGE_DAY, {**arrays(sql.PackageLimit, rows), "now": now})
    return {
        row.package_id: PackageDay(limits[row.package_id] - row.releases, row.oldest and _room_at(row.oldest, DAY))
        for row in fetched(sql.PackageDayRow, result)
    }


def to_facts(profile: sql.PacedProfile, row: sql.FactsRow, rules: Rules, package_day: PackageDay | None) -> Facts:
    """The facts of one profile. `at_gateway` is 0 here. The pass sets it, because each release of the pass changes
    it."""
    windows = [(limit.bound, limit.window) for limit in rolling_limits(rules.limits)]
    package_full_until: Bounds = {}
    if package_day is not None and package_day.room <= 0:
        package_full_until = {Bound.PACKAGE_DAY_LIMIT: package_day.room_at}
    return Facts(
        last_release=profile.last_release,
        full_until=_full_until(windows, (row.hour, row.three_hours, row.day)),
        sent_last_2_hours=row.lately,
        waiting=row.waiting,
        position=profile.position,
        at_gateway=0,
        contacts_full_until=_full_until(CONTACT_WINDOWS, (row.contacts, row.unanswered)),
        package_full_until=package_full_until,
        pair=_pair(row),
    )


def _pair(row: sql.FactsRow) -> Pair | None:
    """None if the day limit had room. Two releases must leave the window to make room for a pair. If the gateway has
    not answered the second one, the result is None too, because it is not known when that one leaves."""
    if row.first is None or row.second is None or row.places is None:
        return None
    second_at = _room_at(row.second, DAY)
    return second_at and Pair(row.first + DAY, second_at, row.places)


def _full_until(windows: Sequence[tuple[Bound, timedelta]], filling: Sequence[datetime | None]) -> Bounds:
    """The full limits, each with the time at which it has room again. `filling`: for each limit, when the gateway
    answered the release that fills it (`effective_at`). None: the limit has room."""
    return {
        bound: _room_at(effective_at, window)
        for (bound, window), effective_at in zip(windows, filling, strict=True)
        if effective_at is not None
    }


def _room_at(effective_at: datetime, window: timedelta) -> datetime | None:
    """When a full window has room again: a window's length after the gateway's answer to the release that fills it."""
    return UNTIL_ANSWERED if effective_at.year == MAXYEAR else effective_at + window
