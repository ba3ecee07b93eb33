"""Held queue: stores what the records of each topic change about held deliveries.

One transaction stores a batch and its offsets. A second transaction then wakes the profiles.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from operator import not_

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pacer.core.best_hour import BestHour
from pacer.core.schedule import ORDINARY, ScheduleSlot, schedule_slot
from pacer.core.settlement import TRIED_FOR, ReturnEnd, Settlement, return_end_of, settlement_of
from pacer.core.waiting_queue import HeldEvent, NewDelivery, queue_of, waiting_queue
from pacer.intake.erased_recipients import ErasedRecipients
from pacer.intake.read_times import Assignment, ReadTime, ReadTimes
from pacer.intake.waiting_profiles import Answered, wake_waiting
from pacer.sql import contacts, stops
from pacer.sql import intake as sql
from pacer.sql.database_clock import system_now
from pacer.sql.waiting_queue import QUEUE_INSERT, WaitingQueue
from spreader.clock import Clock, wall_now
from spreader.consent import NOT_OPTED_IN, SUPPRESSED
from spreader.contract.age import refusal_of_age
from spreader.contract.content import content_json
from spreader.contract.events import (
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
)
from spreader.erasure.postgres import ErasureTable, outcome_fact
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.runtime.rows import arrays

ERASURES = ErasureTable("pacer")

AGREED_AFTER = timedelta(seconds=1)
"""A delivery that joins a waiting queue waits there at least this wall time. By then, router and pacer usually agree on
which profiles can send."""


@dataclass(frozen=True, slots=True)
class HeldQueue:
    engine: AsyncEngine
    clock: Clock
    read_times: ReadTimes
    erasures: ErasureTable = ERASURES

    async def hold(
        self,
        deduplicator: Deduplicator,
        batch: Sequence[Received[HeldEvent]],
        opted_in_only: Collection[str] = (),
    ) -> int:
        """Store the deliveries that are new or come with a newer attempt; returns their number.

        They are held, or end at once if a cancellation or the recipient's consent forbids them. `opted_in_only` names
        packages that require opt-ins. The caller may name a package only when the consent topic is fully consumed.
        """
        async with self.engine.begin() as connection:
            events = [_dated(record) for record in await deduplicator.unseen(connection, batch)]
            held = await self._store(connection, events, opted_in_only) if events else 0
        await self._wake_assigned([record.event for record in batch])
        return held

    async def _store(
        self,
        connection: AsyncConnection,
        events: Sequence[HeldEvent],
        opted_in_only: Collection[str],
    ) -> int:
        await connection.execute(stops.STOPS_LOCK_SHARED)
        messages = {event.message_id: event for event in events}  # in one order, so that two writers do not deadlock
        await connection.execute(sql.MESSAGE_INSERT, [_message_params(messages[name]) for name in sorted(messages)])
        assignments = _last_attempts([(event, delivery) for event in events for delivery in event.deliveries])
        now = await system_now(connection, self.clock)
        best_hours = await self.read_times.best_hours(connection, assignments, now)
        rows = _assigned_rows(assignments, best_hours, wall_now())
        erased = ErasedRecipients(self.erasures, self.clock)
        params = {
            **arrays(sql.AssignedRow, await erased.apply(connection, assignments, rows, now)),
            "now": now,
            "suppressed": SUPPRESSED,
            "not_opted_in": NOT_OPTED_IN,
            "opted_in_only": sorted(opted_in_only),
        }
        return len((await connection.execute(sql.DELIVERY_HOLD, params)).all())

    async def _wake_assigned(self, events: Sequence[HeldEvent]) -> None:
        """Make the profiles of these events due now. The waiting queues of these events become due a little later,
        because router and pacer may not agree yet on which profiles can send. An event that is read again makes its
        queues due again, because the process may have crashed before this transaction.

        This is a transaction of its own, because a release pass locks profiles before deliveries. A transaction that
        locked deliveries before profiles could deadlock with a release pass.
        """
        profiles = _assigned_profiles([event for event in events if isinstance(event, OpenDeliveriesAssigned)])
        waiting = sorted({event.package_id for event in events if isinstance(event, OpenDeliveriesWaiting)})
        package_ids = sorted({*waiting, *(profile.package_id for profile in profiles)})
        async with self.engine.begin() as connection:
            await connection.execute(sql.PACKAGE_INSERT, {"package_ids": package_ids})
            now = await system_now(connection, self.clock)
            woken = {**arrays(sql.AssignedProfile, profiles), "now": now}
            await connection.execute(sql.PROFILE_WAKE_OR_INSERT, woken)
            if waiting:
                look_at = now + self.clock.system(AGREED_AFTER)
                queues = [WaitingQueue(waiting_queue(package_id), package_id, look_at) for package_id in waiting]
                await connection.execute(QUEUE_INSERT, arrays(WaitingQueue, queues))

    async def cancel(self, deduplicator: Deduplicator, batch: Sequence[Received[MessageCancelled]]) -> None:
        """Store the cancellations. The stopper ends the held deliveries of these messages. Deliveries of these messages
        that arrive later are cancelled on arrival."""
        async with self.engine.begin() as connection:
            events = [record.event for record in await deduplicator.unseen(connection, batch)]
            await connection.execute(stops.STOPS_LOCK)
            newest = {event.message_id: event.at for event in events}
            cancellations = [stops.Cancellation(message_id, at) for message_id, at in sorted(newest.items())]
            await connection.execute(stops.CANCELLATION_INSERT, arrays(stops.Cancellation, cancellations))

    async def record_messages(self, deduplicator: Deduplicator, batch: Sequence[Received[CustomerMessage]]) -> None:
        """Store that customers wrote to a profile. They are no longer cold contacts of the profile, and count as having
        answered."""
        async with self.engine.begin() as connection:
            unseen = [record.event for record in await deduplicator.unseen(connection, batch)]
            facts = [(event.recipient, event.at) for event in unseen]
            events = list(compress(unseen, map(not_, await self.erasures.are_erased(connection, facts))))
            if not events:
                return
            # Profiles first: a release pass locks profiles before contacts, and the reverse order would deadlock.
            profile_ids = sorted({event.profile_id for event in events})
            now = await system_now(connection, self.clock)
            params = {"profile_ids": profile_ids, "package_ids": [], "answered_ids": [], "now": now}
            await connection.execute(sql.PROFILES_WAKE, params)
            messages = [contacts.ContactMessage(event.profile_id, event.person, event.at) for event in events]
            await connection.execute(contacts.CONTACT_WROTE, arrays(contacts.ContactMessage, messages))
            keys = [contacts.ContactKey(event.profile_id, event.person) for event in events]
            await connection.execute(contacts.DELIVERY_WARM, arrays(contacts.ContactKey, keys))
            await self.read_times.record(connection, [ReadTime.of_message(event) for event in events])

    async def settle(self, deduplicator: Deduplicator, batch: Sequence[Received[DeliveryOutcome]]) -> int:
        """Settle the releases that these outcomes end. Also end the returned deliveries that the router has given up.
        Returns how many of the outcomes end a release, repeats included.

        A settled release gets the time of the database's clock. So this time is later than the gateway's answer, even
        if the sender's clock is wrong.
        """
        settlements = [settlement for record in batch if (settlement := settlement_of(record.event)) is not None]
        if not settlements and not any(_matters(record.event) for record in batch):
            return 0  # replies, and receipts other than `read`, need no transaction
        async with self.engine.begin() as connection:
            unseen = [record.event for record in await deduplicator.unseen(connection, batch)]
            read = [outcome for outcome in unseen if outcome.status == "read"]
            erased = await self.erasures.are_erased(connection, [outcome_fact(outcome) for outcome in read])
            read_times = [ReadTime.of_receipt(outcome) for outcome in compress(read, map(not_, erased))]
            await self.read_times.record(connection, read_times)
            to_write = [settlement for outcome in unseen if (settlement := settlement_of(outcome)) is not None]
            if any(settlement.state == "held" for settlement in to_write):
                await connection.execute(stops.STOPS_LOCK_SHARED)  # so that a cancellation waits for this commit
            if to_write:
                await _write_settlements(connection, to_write, await system_now(connection, self.clock))
            if returns := [end for outcome in unseen if (end := return_end_of(outcome)) is not None]:
                await _end_returned(connection, returns)
        if settlements:
            packages = {settlement.package_id for settlement in settlements}
            profiles = {settlement.profile_id for settlement in settlements}
            held = {settlement.profile_id for settlement in settlements if settlement.state == "held"}
            await wake_waiting(self.engine, self.clock, Answered(packages, profiles, held))
        return len(settlements)


async def _write_settlements(connection: AsyncConnection, settlements: Sequence[Settlement], now: datetime) -> None:
    keys = [contacts.ReleaseKey(settlement.profile_id, settlement.release) for settlement in settlements]
    rows = [
        sql.SettlementRow(
            delivery_id=settlement.delivery_id,
            attempt=settlement.attempt,
            release=settlement.release,
            state=settlement.state,
            not_before=settlement.not_before,
            reason=settlement.reason,
        )
        for settlement in settlements
    ]
    releases = {**arrays(contacts.ReleaseKey, keys), "now": now}
    await connection.execute(contacts.CONTACT_SETTLE, releases)
    await connection.execute(sql.RELEASE_SETTLE, releases)
    params = {**arrays(sql.SettlementRow, rows), "now": now, "tried_for": TRIED_FOR}
    await connection.execute(sql.DELIVERY_SETTLE, params)


def _matters(outcome: DeliveryOutcome) -> bool:
    """Whether an outcome that ends no release changes anything in the pacer."""
    return outcome.status == "read" or return_end_of(outcome) is not None


async def _end_returned(connection: AsyncConnection, ends: Sequence[ReturnEnd]) -> None:
    rows = [sql.ReturnEndRow(end.delivery_id, end.reason, end.attempt) for end in ends]
    await connection.execute(sql.RETURN_END, arrays(sql.ReturnEndRow, rows))


def _dated(record: Received[HeldEvent]) -> HeldEvent:
    """The event with `written_at`. An older router does not set it, and then the time at which the record was written
    is used."""
    event = record.event
    return event if event.written_at is not None else event.model_copy(update={"written_at": record.written_at})


def _message_params(event: HeldEvent) -> dict[str, object]:
    return {
        "message_id": event.message_id,
        "package_id": event.package_id,
        "content": content_json(event.content),
        "strategy": event.strategy,
        "options": event.options.model_dump_json(exclude_none=True),
        "requested_at": event.requested_at,
        "traceparent": event.traceparent,
    }


def _assigned_profiles(events: Sequence[OpenDeliveriesAssigned]) -> list[sql.AssignedProfile]:
    """Each profile of the events with its newest assignment, sorted by profile id."""
    newest: dict[str, sql.AssignedProfile] = {}
    for event in sorted(events, key=lambda event: event.assigned_at or event.requested_at):
        for delivery in event.deliveries:
            profile = sql.AssignedProfile(delivery.profile_id, event.package_id, event.assigned_at)
            newest[delivery.profile_id] = profile
    return [profile for _, profile in sorted(newest.items())]


def _last_attempts(assignments: Sequence[Assignment]) -> list[Assignment]:
    """The newest attempt of each delivery. Older attempts are dropped, because one statement must not change a row
    twice."""
    newest: dict[str, Assignment] = {}
    for event, delivery in assignments:
        stored = newest.get(delivery.delivery_id)
        if stored is None or stored[1].attempt < delivery.attempt:
            newest[delivery.delivery_id] = (event, delivery)
    return list(newest.values())


def _assigned_rows(
    assignments: Sequence[Assignment], best_hours: Mapping[str, BestHour], now: datetime
) -> list[sql.AssignedRow]:
    """`now` is wall time."""
    rows: list[sql.AssignedRow] = []
    for place, (event, delivery) in enumerate(assignments):
        best_hour = best_hours.get(delivery.delivery_id)
        slot = _slot(event, delivery) if best_hour is None else ScheduleSlot(ORDINARY, best_hour.at)
        row = sql.AssignedRow(
            place=place,
            delivery_id=delivery.delivery_id,
            message_id=event.message_id,
            package_id=event.package_id,
            profile_id=queue_of(event, delivery),
            recipient=delivery.person,
            given=None if delivery.recipient_key is None else delivery.recipient,
            tried=",".join(delivery.tried),
            not_before=slot.not_before,
            timing=None if best_hour is None else best_hour.reason,
            expires_at=event.options.expires_at,
            waits=isinstance(event, OpenDeliveriesWaiting),
            refused=refusal_of_age(event.written_at, now),
            cancelled=None,
            index=delivery.index,
            attempt=delivery.attempt,
            rank=slot.rank,
        )
        rows.append(row)
    return rows


def _slot(event: HeldEvent, delivery: NewDelivery) -> ScheduleSlot:
    total = event.total or len(event.deliveries)
    return schedule_slot(event.options, event.requested_at, delivery.index, total, delivery.recipient)
