"""Read times: the local hours in which recipients read or wrote before, and the best hour for the next message."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.best_hour import BestHour, ReadCounts, best_hour
from pacer.core.waiting_queue import HeldEvent, NewDelivery, queue_of
from pacer.sql import contacts
from spreader.contract.events import CustomerMessage, DeliveryOutcome
from spreader.phone.canonical import PersonKey, person_key
from spreader.phone.time_zone import zone_of
from spreader.runtime.rows import arrays, fetched

Assignment = tuple[HeldEvent, NewDelivery]

WHOLE_PACKAGE = person_key("")
"""The value of the recipient in rows that count all recipients of a package together."""


@dataclass(frozen=True, slots=True)
class ReadTime:
    """A time at which a recipient read or wrote."""

    package_id: str
    recipient: PersonKey
    at: datetime

    @classmethod
    def of_receipt(cls, event: DeliveryOutcome) -> "ReadTime":
        return cls(event.package_id, event.person, event.at)

    @classmethod
    def of_message(cls, event: CustomerMessage) -> "ReadTime":
        return cls(event.package_id, event.person, event.at)

    @property
    def hour(self) -> int:
        """The hour of the day in the recipient's time zone."""
        return self.at.astimezone(zone_of(self.recipient)).hour


@dataclass(frozen=True, slots=True)
class ReadTimes:
    config: PacerConfigCache

    async def record(self, connection: AsyncConnection, read_times: Sequence[ReadTime]) -> None:
        """Count each read time twice: for its recipient and for the whole package."""
        hours = [
            contacts.ReadHour(read_time.package_id, recipient, read_time.hour)
            for read_time in read_times
            for recipient in (read_time.recipient, WHOLE_PACKAGE)
        ]
        if hours:
            await connection.execute(contacts.READ_HOUR_COUNT, arrays(contacts.ReadHour, hours))

    async def best_hours(
        self, connection: AsyncConnection, assignments: Sequence[Assignment], now: datetime
    ) -> dict[str, BestHour]:
        """The best hour of each delivery whose message has the waiting strategy `smart`, by delivery id."""
        by_package: dict[str, list[Assignment]] = defaultdict(list)
        for event, delivery in assignments:
            if event.options.waiting_strategy == "smart":
                by_package[event.package_id].append((event, delivery))
        best: dict[str, BestHour] = {}
        for package_id, of_package in by_package.items():
            counts = await _read_counts(connection, package_id, [delivery.person for _, delivery in of_package])
            for event, delivery in of_package:
                best[delivery.delivery_id] = self._best_hour(event, delivery, counts, now)
        return best

    def _best_hour(
        self,
        event: HeldEvent,
        delivery: NewDelivery,
        counts: Mapping[PersonKey, ReadCounts],
        now: datetime,
    ) -> BestHour:
        begin = max(event.options.schedule_at or now, now)
        package = self.config.package(event.package_id)
        rules = self.config.rules(event.package_id, queue_of(event, delivery), begin)
        if package is None or rules is None:
            return BestHour(begin, "the profile is not known: as soon as possible")
        own, of_package = counts.get(delivery.person, {}), counts.get(WHOLE_PACKAGE, {})
        return best_hour(delivery.person, own, of_package, rules.hours, package.recipient_quiet_hours, begin)


async def _read_counts(
    connection: AsyncConnection, package_id: str, persons: Sequence[PersonKey]
) -> dict[PersonKey, dict[int, int]]:
    counts: dict[PersonKey, dict[int, int]] = defaultdict(dict)
    params = {"package_id": package_id, "recipients": [*persons, WHOLE_PACKAGE]}
    for row in fetched(contacts.HourCount, await connection.execute(contacts.READ_HOURS, params)):
        counts[row.recipient][row.hour] = row.readings
    return counts
