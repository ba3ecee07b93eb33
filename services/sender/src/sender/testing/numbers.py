"""Numbers: a store of checked numbers and of the pace of checking, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sender.gateways.postgres import Known


@dataclass
class MemoryNumbers:
    numbers: dict[str, Known] = field(default_factory=dict[str, Known])
    free_at: dict[str, datetime] = field(default_factory=dict[str, datetime])

    async def known(self, numbers: Sequence[str], since: datetime) -> Mapping[str, Known]:
        return {each: found for each, found in self.numbers.items() if each in numbers and found.checked_at > since}

    async def keep(self, number: str, exists: bool, at: datetime, address: str | None) -> None:
        self.numbers[number] = Known(exists, at, address)

    async def book(self, profile_id: str, now: datetime, interval: timedelta, burst: int) -> bool:
        free_at = self.free_at.get(profile_id, now)
        if free_at > now + interval * (burst - 1):
            return False
        self.free_at[profile_id] = max(free_at, now) + interval
        return True
