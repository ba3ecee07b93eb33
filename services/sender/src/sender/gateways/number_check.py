"""Number check: whether a phone number is on WhatsApp. An answer is kept for 30 days.

WhatsApp may block new chats of a profile that makes many such checks, so each profile has a rate limit for them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sender.core.brazil_numbers import other_form
from sender.gateways.driver import Drivers, NumberCheck
from sender.gateways.postgres import CheckedNumber
from sender.metrics import NUMBER_CHECKS
from spreader.clock import Now
from spreader.contract.configuration import Profile

REMEMBERED_FOR = timedelta(days=30)
BURST = 5
"""The most checks that a profile may make at once, after it has made none for a while."""
TOO_SOON = "not asked: the profile has reached its rate limit of number checks; ask again later"


@dataclass(frozen=True, slots=True)
class NumberResult:
    """`exists` is None if the check has no result. Then `detail` says why."""

    number: str
    exists: bool | None
    checked_at: datetime | None
    detail: str


class NumberStore(Protocol):
    async def find(self, numbers: Sequence[str], since: datetime) -> Mapping[str, CheckedNumber]: ...
    async def keep(self, checked: CheckedNumber) -> None: ...
    async def book(self, profile_id: str, now: datetime, interval: timedelta, burst: int) -> bool: ...


@dataclass(frozen=True, slots=True)
class NumberChecker:
    store: NumberStore
    drivers: Drivers
    now: Now
    per_hour: int

    async def check(self, profile: Profile, numbers: Sequence[str]) -> list[NumberResult]:
        """The result of each number, in the given order, from the store or through the profile."""
        stored = await self.store.find(numbers, self.now() - REMEMBERED_FOR)
        NUMBER_CHECKS.labels("known").inc(len(stored))
        return [
            NumberResult(number, stored[number].exists, stored[number].checked_at, "known")
            if number in stored
            else await self._ask(profile, number)
            for number in numbers
        ]

    async def _ask(self, profile: Profile, number: str) -> NumberResult:
        now, interval = self.now(), timedelta(hours=1) / self.per_hour
        if not await self.store.book(profile.profile_id, now, interval, BURST):
            NUMBER_CHECKS.labels("too_soon").inc()
            return NumberResult(number, None, None, TOO_SOON)
        driver = self.drivers[profile.gateway.driver]
        check = await check_each_form(lambda form: driver.check_number(profile, form), number)
        if check.exists is None:
            NUMBER_CHECKS.labels("not_said").inc()
            return NumberResult(number, None, None, check.detail)
        NUMBER_CHECKS.labels("asked").inc()
        await self.store.keep(CheckedNumber(number, check.exists, now, check.address))
        return NumberResult(number, check.exists, now, check.detail)


async def check_each_form(ask: Callable[[str], Awaitable[NumberCheck]], number: str) -> NumberCheck:
    """Checks the number as given. If WhatsApp does not know it, checks its other form too, if it has one."""
    check = await ask(number)
    other = other_form(number)
    return await ask(other) if check.exists is False and other is not None else check
