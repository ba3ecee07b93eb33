"""Queue: the deliveries that are held, as the handlers change them; one transaction for each batch of records."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.best_hour import Best
from pacer.core.outcomes import TRIED_FOR, Settled, settle
from pacer.core.schedule import ORDINARY, Turn, turn
from pacer.intake.read_times import Habits, Held, Reading
from pacer.sql import contacts as contacts
from pacer.sql import queue as sql
from pacer.sql import stops as stops
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.consent import NOT_OPTED_IN, SUPPRESSED
from spreader.contract.content import content_json
from spreader.contract.events import (
    AssignedDelivery,
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
    OpenDeliveriesAssigned,
)
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True, slots=True)
class Queue:
    engine: AsyncEngine
    clock: Clock
    habits: Habits

    async def take(
        self,
        positions: Deduplicator,
        batch: Sequence[Received[OpenDeliveriesAssigned]],
        opted_in_only: Collection[str] = (),
    ) -> int:
        """Hold what is new, and answer how much that was; a delivery that is held already, or was, changes nothing.

        `opted_in_only`: the packages that write to nobody else, where all opt-ins are known here.
        """
        async with self.engine.begin() as connection:
            events = [each.event for each in await positions.unseen(connection, batch)]
            if not events:
                return 0
            await connection.execute(stops.STOPS_STAND)
            await connection.execute(sql.MESSAGE_INSERT, [_message(event) for event in events])
            held = _last_attempts([(event, delivery) for event in events for delivery in event.deliveries])
            now = await system_now(connection, self.clock)
            best = await self.habits.best_hours(connection, held, now)
            reasons = {"suppressed": SUPPRESSED, "not_opted_in": NOT_OPTED_IN, "opted_in_only": sorted(opted_in_only)}
            taken = await connection.execute(sql.DELIVERY_TAKE, {**_columns(held, best), "now": now, **reasons})
            count = len(taken.all())
            profiles = _profiles(events)
            packages = sorted({package_id for package_id, _ in profiles.values()})
            await connection.execute(sql.PACKAGE_INSERT, {"package_ids": packages})
            await connection.execute(
                sql.PROFILE_WAKE_OR_INSERT,
                {
                    "profile_ids": list(profiles),
                    "package_ids": [package_id for package_id, _ in profiles.values()],
                    "assigned_ats": [assigned_at for _, assigned_at in profiles.values()],
                },
            )
            return count

    async def cancel(self, positions: Deduplicator, batch: Sequence[Received[MessageCancelled]]) -> None:
        """Stop what is held of these messages, and what may still come of them."""
        async with self.engine.begin() as connection:
            events = [each.event for each in await positions.unseen(connection, batch)]
            await connection.execute(stops.STOPS_CHANGE)
            messages = sorted({event.message_id: event.at for event in events}.items())
            message_ids = [message_id for message_id, _ in messages]
            await connection.execute(
                stops.CANCELLATION_INSERT, {"message_ids": message_ids, "ats": [at for _, at in messages]}
            )
            await connection.execute(stops.CANCEL_HELD, {"message_ids": message_ids})

    async def hear(self, positions: Deduplicator, batch: Sequence[Received[CustomerMessage]]) -> None:
        """Customers wrote: they are no cold contacts of the profile any more, and have answered it."""
        async with self.engine.begin() as connection:
            events = [each.event for each in await positions.unseen(connection, batch)]
            if events:
                woken = {"profile_ids": sorted({event.profile_id for event in events}), "package_ids": []}
                await connection.execute(sql.PROFILES_WAKE, woken)  # first: a turn too locks profiles, then contacts
                wrote = {
                    "profile_ids": [event.profile_id for event in events],
                    "recipients": [event.recipient for event in events],
                }
                await connection.execute(contacts.CONTACT_WROTE, {**wrote, "ats": [event.at for event in events]})
                await connection.execute(contacts.DELIVERY_WARM, wrote)
                await self.habits.note(connection, [Reading.of_message(event) for event in events])

    async def settle(self, positions: Deduplicator, batch: Sequence[Received[DeliveryOutcome]]) -> int:
        """Let the answered releases count from now on as made, and their deliveries go on in their next state.

        From now: the database's moment, which is later than the gateway's answer whatever the sender's clock shows.
        Answers how many outcomes were about a release.
        """
        told = [answer for each in batch if (answer := settle(each.event)) is not None]
        if not told and not any(each.event.status == "read" for each in batch):
            return 0  # news of replies, and receipts: they cost no transaction
        async with self.engine.begin() as connection:
            fresh = await positions.unseen(connection, batch)
            readings = [Reading.of_read(each.event) for each in fresh if each.event.status == "read"]
            await self.habits.note(connection, readings)
            answers = [answer for each in fresh if (answer := settle(each.event)) is not None]
            if answers:
                now = await system_now(connection, self.clock)
                await connection.execute(contacts.CONTACT_SETTLE, {**_releases(answers), "now": now})
                await connection.execute(sql.RELEASE_SETTLE, {**_releases(answers), "now": now})
                await connection.execute(sql.DELIVERY_SETTLE, {**_answers(answers), "now": now, "tried_for": TRIED_FOR})
        if told:
            await self._wake_waiting(told)
        return len(told)

    async def _wake_waiting(self, answers: Sequence[Settled]) -> None:
        """Look again at the profiles that wait for these answers: of the whole batch, also when it comes again.

        A turn that was under way when the answers were written may not have seen them, and its profiles are not
        known to wait until it ends. So its end is waited for first, in a transaction of its own: who held packages
        while waiting for profiles could never get them from a turn that holds profiles and waits for packages.
        """
        packages = {"package_ids": sorted({each.package_id for each in answers})}
        async with self.engine.begin() as connection:
            await connection.execute(sql.PACKAGES_STAND, packages)
        async with self.engine.begin() as connection:
            held = sorted({each.profile_id for each in answers if each.state == "held"})
            await connection.execute(sql.PROFILES_WAKE, {**packages, "profile_ids": held})


def _message(event: OpenDeliveriesAssigned) -> dict[str, object]:
    return {
        "message_id": event.message_id,
        "package_id": event.package_id,
        "content": content_json(event.content),
        "options": event.options.model_dump_json(exclude_none=True),
        "requested_at": event.requested_at,
        "traceparent": event.traceparent,
    }


def _profiles(events: Sequence[OpenDeliveriesAssigned]) -> dict[str, tuple[str, datetime | None]]:
    """Each profile's package, and the newest moment at which something was assigned to it."""
    newest: dict[str, tuple[str, datetime | None]] = {}
    for event in sorted(events, key=lambda event: event.assigned_at or event.requested_at):
        newest |= {delivery.profile_id: (event.package_id, event.assigned_at) for delivery in event.deliveries}
    return dict(sorted(newest.items()))


def _last_attempts(held: Sequence[Held]) -> list[Held]:
    """One row for each delivery, the newest attempt: a statement may not touch a row twice."""
    newest: dict[str, Held] = {}
    for event, delivery in held:
        known = newest.get(delivery.delivery_id)
        if known is None or known[1].attempt < delivery.attempt:
            newest[delivery.delivery_id] = (event, delivery)
    return list(newest.values())


def _columns(held: Sequence[Held], best: Mapping[str, Best]) -> dict[str, list[object]]:
    turns = [_turn(event, delivery, best) for event, delivery in held]
    return {
        "delivery_ids": [delivery.delivery_id for _, delivery in held],
        "message_ids": [event.message_id for event, _ in held],
        "package_ids": [event.package_id for event, _ in held],
        "profile_ids": [delivery.profile_id for _, delivery in held],
        "recipients": [delivery.recipient for _, delivery in held],
        "indexes": [delivery.index for _, delivery in held],
        "attempts": [delivery.attempt for _, delivery in held],
        "trieds": [",".join(delivery.tried) for _, delivery in held],
        "timings": [best[each.delivery_id].reason if each.delivery_id in best else None for _, each in held],
        "ranks": [each.rank for each in turns],
        "not_befores": [each.not_before for each in turns],
        "expires_ats": [event.options.expires_at for event, _ in held],
    }


def _turn(event: OpenDeliveriesAssigned, delivery: AssignedDelivery, best: Mapping[str, Best]) -> Turn:
    if delivery.delivery_id in best:
        return Turn(ORDINARY, best[delivery.delivery_id].at)
    total = event.total or len(event.deliveries)
    return turn(event.options, event.requested_at, delivery.index, total, delivery.recipient)


def _releases(answers: Sequence[Settled]) -> dict[str, list[object]]:
    return {
        "profile_ids": [each.profile_id for each in answers],
        "releases": [each.release for each in answers],
    }


def _answers(answers: Sequence[Settled]) -> dict[str, list[object]]:
    return {
        "delivery_ids": [each.delivery_id for each in answers],
        "attempts": [each.attempt for each in answers],
        "releases": [each.release for each in answers],
        "states": [each.state for each in answers],
        "not_befores": [each.not_before for each in answers],
        "reasons": [each.reason for each in answers],
    }
