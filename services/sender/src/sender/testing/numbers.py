"""Memory numbers: a store of checked numbers, kept in memory. It also keeps the rate limit for such checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sender.gateways.postgres import CheckedNumber


@dataclass
class MemoryNumbers:
    checked: dict[str, CheckedNumber] = field(default_factory=dict[str, CheckedNumber])
    free_at: dict[str, datetime] = field(default_factory=dict[str, datetime])

    async def find(self, numbers: Sequence[str], since: datetime) -> Mapping[str, CheckedNumber]:
        return {
            number: checked
            for number, checked in self.checked.items()
            if number in numbers and checked.checked_at > since
        }

    async def keep(self, checked: CheckedNumber) -> None:
        self.checked[checked.number] = checked

    async def book(self, profile_id: str, now: datetime, interval: timedelta, burst: int) -> bool:
        free_at = self.free_at.get(profile_id, now)
        if free_at > now + interval * (burst - 1):
            return False
        self.free_at[profile_id] = max(free_at, now) + interval
        return True
