"""Number check: whether WhatsApp knows a phone number: asked once in 30 days, and slowly.

Asking is itself noticed by WhatsApp and can cost a profile its new chats, so each profile has a pace of its own for it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sender.core.brazil_numbers import other_form
from sender.gateways.driver import Drivers, NumberChecked
from sender.gateways.postgres import Known
from sender.metrics import NUMBER_CHECKS
from spreader.clock import Now
from spreader.contract.configuration import Profile

REMEMBERED = timedelta(days=30)
BURST = 5
"""So many may be asked at once, by a profile that has not asked for a while."""
TOO_SOON = "not asked: the profile has asked for enough numbers for now; ask again later"


@dataclass(frozen=True, slots=True)
class Number:
    """`exists` None: nobody knows, and `detail` says why."""

    number: str
    exists: bool | None
    checked_at: datetime | None
    detail: str


class NumberStore(Protocol):
    async def known(self, numbers: Sequence[str], since: datetime) -> Mapping[str, Known]: ...
    async def keep(self, number: str, exists: bool, at: datetime, address: str | None) -> None: ...
    async def book(self, profile_id: str, now: datetime, interval: timedelta, burst: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class Numbers:
    store: NumberStore
    drivers: Drivers
    now: Now
    per_hour: int

    async def check(self, profile: Profile, numbers: Sequence[str]) -> list[Number]:
        known = await self.store.known(numbers, self.now() - REMEMBERED)
        NUMBER_CHECKS.labels("known").inc(len(known))
        return [
            Number(number, known[number].exists, known[number].checked_at, "known")
            if number in known
            else await self._ask(profile, number)
            for number in numbers
        ]

    async def _ask(self, profile: Profile, number: str) -> Number:
        now, interval = self.now(), timedelta(hours=1) / self.per_hour
        if not await self.store.book(profile.profile_id, now, interval, BURST):
            NUMBER_CHECKS.labels("too_soon").inc()
            return Number(number, None, None, TOO_SOON)
        driver = self.drivers[profile.gateway.driver]
        checked = await in_each_form(lambda form: driver.check_number(profile, form), number)
        if checked.exists is None:
            NUMBER_CHECKS.labels("not_said").inc()
            return Number(number, None, None, checked.detail)
        NUMBER_CHECKS.labels("asked").inc()
        await self.store.keep(number, checked.exists, now, checked.address)
        return Number(number, checked.exists, now, checked.detail)


async def in_each_form(ask: Callable[[str], Awaitable[NumberChecked]], number: str) -> NumberChecked:
    """Of a number that can be written in two ways, the other is asked for where WhatsApp does not know the first."""
    checked = await ask(number)
    other = other_form(number)
    return await ask(other) if checked.exists is False and other is not None else checked
