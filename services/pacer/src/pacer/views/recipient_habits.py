"""Recipient habits: when a recipient reads, as far as the pacer knows."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.best_hour import HOURS, likelihoods
from pacer.core.recipient_hours import zone_of
from pacer.intake.read_times import WHOLE_PACKAGE
from pacer.sql import contacts
from spreader.contract.answers import KnownReading
from spreader.phone.canonical import spellings
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched


@dataclass(frozen=True, slots=True)
class RecipientHabits:
    engine: AsyncEngine

    async def describe(self, recipient: str) -> list[KnownReading]:
        """For each package in which the recipient has read or written, under any form of the number: how often in each
        local hour, and the best hour."""
        params = {"recipients": [*spellings(recipient), WHOLE_PACKAGE]}
        async with autocommit(self.engine) as connection:
            rows = fetched(contacts.PackageHour, await connection.execute(contacts.READ_HOURS_OF, params))
        own, whole = defaultdict[str, Counter[int]](Counter), defaultdict[str, Counter[int]](Counter)
        for row in rows:
            (whole if row.recipient == WHOLE_PACKAGE else own)[row.package_id][row.hour] += row.readings
        return [
            KnownReading(
                package_id=package_id,
                timezone=zone_of(recipient).key,
                best_hour=_best(likelihoods(hours, whole[package_id])),
                hours={str(hour): readings for hour, readings in sorted(hours.items())},
            )
            for package_id, hours in sorted(own.items())
        ]


def _best(likely: list[float]) -> int:
    return max(range(HOURS), key=lambda hour: likely[hour])
