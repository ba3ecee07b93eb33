"""Habit: in which local hours a recipient read or wrote before, and what that says about the next message."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from pacer.config_cache import PacerConfigCache
from pacer.core.best_hour import Best, Habit, best_hour
from pacer.core.recipient_hours import zone_of
from pacer.sql import contacts as contacts
from spreader.contract.events import AssignedDelivery, CustomerMessage, DeliveryOutcome, OpenDeliveriesAssigned

Held = tuple[OpenDeliveriesAssigned, AssignedDelivery]

EVERYBODY = ""  # the row that stands for all recipients of a package


@dataclass(frozen=True, slots=True)
class Reading:
    """A sign that a recipient had the phone in hand."""

    package_id: str
    recipient: str
    at: datetime

    @classmethod
    def of_read(cls, event: DeliveryOutcome) -> "Reading":
        return cls(event.package_id, event.recipient, event.at)

    @classmethod
    def of_message(cls, event: CustomerMessage) -> "Reading":
        return cls(event.package_id, event.recipient, event.at)

    @property
    def hour(self) -> int:
        return self.at.astimezone(zone_of(self.recipient)).hour


@dataclass(frozen=True, slots=True)
class Habits:
    directory: PacerConfigCache

    async def note(self, connection: AsyncConnection, readings: Sequence[Reading]) -> None:
        """Count readings, for the recipient and for the whole package."""
        if readings:
            noted = [(each, name) for each in readings for name in (each.recipient, EVERYBODY)]
            columns = {
                "package_ids": [each.package_id for each, _ in noted],
                "recipients": [name for _, name in noted],
                "hours": [each.hour for each, _ in noted],
            }
            await connection.execute(contacts.HABIT_READ, columns)

    async def best_hours(self, connection: AsyncConnection, held: Sequence[Held], now: datetime) -> dict[str, Best]:
        """The best hour of each delivery whose message asks for it, by delivery."""
        wanted: dict[str, list[Held]] = defaultdict(list)
        for event, delivery in held:
            if event.options.waiting_strategy == "smart":
                wanted[event.package_id].append((event, delivery))
        best: dict[str, Best] = {}
        for package_id, some in wanted.items():
            known = await _habits(connection, package_id, [delivery.recipient for _, delivery in some])
            for event, delivery in some:
                best[delivery.delivery_id] = self._best(event, delivery, known, now)
        return best

    def _best(
        self, event: OpenDeliveriesAssigned, delivery: AssignedDelivery, known: Mapping[str, Habit], now: datetime
    ) -> Best:
        begin = max(event.options.schedule_at or now, now)
        package = self.directory.package(event.package_id)
        rules = self.directory.rules(delivery.profile_id, begin)
        if package is None or rules is None:
            return Best(begin, "the profile is not known: as soon as possible")
        own, everybody = known.get(delivery.recipient, {}), known.get(EVERYBODY, {})
        return best_hour(delivery.recipient, own, everybody, rules.hours, package.recipient_quiet_hours, begin)


async def _habits(connection: AsyncConnection, package_id: str, recipients: Sequence[str]) -> dict[str, dict[int, int]]:
    habits: dict[str, dict[int, int]] = defaultdict(dict)
    asked = {"package_id": package_id, "recipients": [*recipients, EVERYBODY]}
    for row in await connection.execute(contacts.HABITS, asked):
        habits[row.recipient][row.hour] = row.readings
    return habits
