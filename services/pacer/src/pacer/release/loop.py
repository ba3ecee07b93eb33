"""Releasing: the loop's turn: take the profiles that are due, ask the policy, and write down what goes.

Delivery promise: check, release and ledger entry are one transaction over locked rows, so any number of pacers can run,
none owns a profile, and a crash leaves either all of it or nothing. What was released is told by the announcer, which
finds it by its state; a crash in between delays it and loses nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.policy import Release, Wait
from pacer.core.reassignment import Leaving
from pacer.core.release_pass import Due, Looked, look
from pacer.metrics import BOUND_RELEASES, BOUND_WAITS, DUE_PROFILES, LATENESS, NOTHING, RELEASED
from pacer.release.facts import load, lock_packages
from pacer.release.handback import give_back, leaves
from pacer.release.rescheduler import Waking
from pacer.sql import contacts as contacts
from pacer.sql import queue as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock

IDLE_SECONDS_MAX = 0.5
HEADS_FEW, HEADS_MANY = 1, 50  # of each part of a queue: many while recipients' bounds push deliveries aside


@dataclass
class Releasing:
    engine: AsyncEngine
    directory: PacerConfigCache
    clock: Clock
    profiles_a_turn: int
    on_looked: Callable[[Sequence[tuple[Due, Looked]], datetime], None]
    tell: Callable[[], None]
    """Wakes the announcer: there is news."""
    waking: Waking
    _heads: int = field(default=HEADS_FEW, init=False)
    _bounds: dict[str, str] = field(default_factory=dict[str, str], init=False)
    """What each profile waits for, as its last look here said."""

    async def turn(self) -> float:
        """One turn; answers the wall seconds until the next is due."""
        await self.waking.wake()
        async with self.engine.begin() as connection:
            now, read_at = await system_now(connection, self.clock), time.monotonic()
            rows = (await connection.execute(sql.DUE, {"now": now, "profiles": self.profiles_a_turn})).all()
            DUE_PROFILES.set(len(rows))
            if not rows:
                next_look = (await connection.execute(sql.NEXT_LOOK)).scalar_one_or_none()
                return idle_seconds(self.clock, now, next_look, time.monotonic() - read_at)
            at_gateway = await lock_packages(connection, {row.package_id for row in rows})
            gone = {row.profile_id: left for row in rows if (left := self._leaves(row)) is not None}
            staying = [row for row in rows if row.profile_id not in gone]
            dues = await load(connection, staying, self.directory, self._heads, now)
            looked = look(dues, at_gateway, now)
            self._heads = HEADS_MANY if any(each.deferred for each in looked) else HEADS_FEW
            news = await self._write(connection, looked, now)
            news += await give_back(connection, gone)
        self._show(rows, dues, looked, now)
        if news:
            self.tell()
        return 0

    def _leaves(self, row: Any) -> Leaving | None:
        return leaves(self.directory, row.package_id, row.profile_id)

    async def _write(self, connection: AsyncConnection, looked: Sequence[Looked], now: datetime) -> int:
        chosen = [each for each in looked if isinstance(each.decision, Release) and each.head is not None]
        released = await _release(connection, chosen, now) if chosen else 0
        deferred = [each for one in looked for each in one.deferred]
        if deferred:
            put_off = {
                "delivery_ids": [each.delivery_id for each in deferred],
                "untils": [each.until for each in deferred],
                "bounds": [each.bound for each in deferred],
            }
            await connection.execute(sql.PUT_OFF, put_off)
        await connection.execute(
            sql.PROFILE_LOOKED,
            {
                "profile_ids": [each.profile_id for each in looked],
                "look_ats": [each.look_at for each in looked],
                "awaits": [each.awaits_answer for each in looked],
            },
        )
        RELEASED.inc(released)
        return released

    def _show(self, rows: Sequence[Any], dues: Sequence[Due], looked: Sequence[Looked], now: datetime) -> None:
        due_at = {row.profile_id: row.look_at for row in rows}
        for each in looked:
            moment = due_at[each.profile_id]
            if isinstance(each.decision, Wait):
                self._bounds[each.profile_id] = each.decision.bound
                BOUND_WAITS.labels(each.decision.bound).inc()
            elif isinstance(each.decision, Release):
                BOUND_RELEASES.labels(self._bounds.pop(each.profile_id, NOTHING)).inc()
            if isinstance(each.decision, Release) and moment.year > MINYEAR:
                LATENESS.observe(self.clock.wall(now - moment).total_seconds())
        self.on_looked(list(zip(dues, looked, strict=True)), now)


def idle_seconds(clock: Clock, now: datetime, next_look: datetime | None, taken: float) -> float:
    """Wall seconds until the next look; `taken`: how many have passed since the clock showed `now`."""
    if next_look is None or next_look.year == MAXYEAR:
        return IDLE_SECONDS_MAX
    if next_look.year == MINYEAR:
        return 0.01  # locked by another pacer's turn
    return min(max(clock.wall(next_look - now).total_seconds() - taken, 0.001), IDLE_SECONDS_MAX)


async def _release(connection: AsyncConnection, chosen: Sequence[Looked], now: datetime) -> int:
    """Release the chosen heads that are still held (one may have been cancelled a moment ago)."""
    numbers = await connection.execute(
        sql.PROFILE_RELEASED, {"profile_ids": [each.profile_id for each in chosen], "now": now}
    )
    number = {row.profile_id: row.releases for row in numbers}
    rows = (
        await connection.execute(
            sql.DELIVERY_RELEASE,
            {
                "now": now,
                "delivery_ids": [each.head.delivery_id for each in chosen if each.head],
                "releases": [number[each.profile_id] for each in chosen],
                "send_bys": [each.decision.send_by for each in chosen if isinstance(each.decision, Release)],
            },
        )
    ).all()
    cold = {each.head.delivery_id: each.head.cold for each in chosen if each.head}
    made = {
        "now": now,
        "profile_ids": [row.profile_id for row in rows],
        "numbers": [row.release for row in rows],
        "package_ids": [row.package_id for row in rows],
        "delivery_ids": [row.delivery_id for row in rows],
        "recipients": [row.recipient for row in rows],
        "colds": [cold[row.delivery_id] for row in rows],
    }
    await connection.execute(sql.RELEASE_INSERT, made)
    spoken = {name: made[name] for name in ("profile_ids", "recipients", "colds")}
    await connection.execute(contacts.CONTACT_RELEASED, {**spoken, "now": now})
    await connection.execute(
        contacts.DELIVERY_WARM, {"profile_ids": made["profile_ids"], "recipients": made["recipients"]}
    )
    return len(rows)
