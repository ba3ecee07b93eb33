"""Gateway: takes sends as WhatsApp's would, keeps the ledger of them, and lets the customers react."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Never, assert_never

from simulator.callbacks import Callback, Callbacks
from simulator.core.customers import Answer, Habits, Reaction, Receipt, reactions
from simulator.core.faults import Delay, Die, Hang, Plan, Refusal, Stop, Target
from simulator.flights import Flights
from simulator.ledger import Entry, Ledger
from simulator.mailbox import Letter
from simulator.sessions import Session
from simulator.switchboard import Switchboard
from simulator.wire import receipt_body
from spreader.clock import Clock
from spreader.content import Content, content_hash
from spreader.ids import new_id

EXIT_CODE_OF_DIE = 137  # what a shell reports after kill -9

Leaving = Callable[[], Coroutine[None, None, None]]
"""Ends when the caller has left."""


@dataclass(frozen=True, slots=True)
class Accepted:
    message_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be sent, and to whom."""

    delivery_id: str
    recipient: str
    content: Content


@dataclass(frozen=True, slots=True)
class Silence:
    """The send was held until the caller left or the fault ended: there is no answer worth reading."""


SendAnswer = Accepted | Refusal | Silence


class Gateway:
    def __init__(
        self,
        ledger: Ledger,
        switchboard: Switchboard,
        flights: Flights,
        callbacks: Callbacks,
        habits: Habits,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._switchboard = switchboard
        self._flights = flights
        self._callbacks = callbacks
        self._habits = habits
        self._clock = clock

    async def send(self, session: Session, delivery: Delivery, leaving: Leaving) -> SendAnswer:
        """One send, as the faults in force let it go."""
        with self._flights.one(session.package_id):
            plan = self._switchboard.plan(Target(session.profile_id, session.account, delivery.recipient))
            if await self._hangs(plan.before, leaving):
                return Silence()
            answer = self._record(session, delivery, plan)
            if await self._hangs(plan.after, leaving):
                return Silence()
            return plan.answer or answer

    def take_from_customer(self, session: Session, phone: str, text: str) -> str:
        """A customer writes by itself; answers the message's id when it is kept."""
        now = self._clock()
        message_id = new_id("wamid", now)
        self._callbacks.post(Letter.written(message_id, session.account, phone, text, now))
        return message_id

    def _record(self, session: Session, delivery: Delivery, plan: Plan) -> Accepted | Refusal:
        now = self._clock()
        message_id = new_id("wamid", now)
        self._ledger.write(_entry(now, session, delivery, message_id, plan.refusal))
        if plan.refusal is not None:
            return plan.refusal
        for reaction in reactions(self._habits, delivery.delivery_id, delivery.recipient, now):
            self._schedule(reaction, session, delivery, message_id, plan.receipts, now)
        return Accepted(message_id)

    def _schedule(
        self, reaction: Reaction, session: Session, delivery: Delivery, message_id: str, times: int, now: datetime
    ) -> None:
        match reaction:
            case Receipt():
                body = receipt_body(reaction, delivery.delivery_id, message_id, delivery.recipient)
                for _ in range(times):
                    self._callbacks.schedule(Callback("receipt", session.account, body), reaction.at - now)
            case Answer():
                message_id = new_id("wamid", reaction.at)
                letter = Letter.written(message_id, session.account, delivery.recipient, reaction.text, reaction.at)
                self._callbacks.schedule(Callback.of(letter), reaction.at - now)
            case _:
                assert_never(reaction)

    async def _hangs(self, stops: tuple[Stop, ...], leaving: Leaving) -> bool:
        """Make the stops; answers whether one of them is the send's end."""
        for stop in stops:
            match stop:
                case Delay(fault_id, seconds):
                    await self._switchboard.hold(fault_id, seconds)
                case Hang(fault_id, seconds):
                    await first_of(self._switchboard.hold(fault_id, seconds), leaving())
                    return True
                case Die():
                    die()
                case _:
                    assert_never(stop)
        return False


async def first_of(*waits: Coroutine[None, None, None]) -> None:
    """Until one of them has ended; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def die() -> Never:
    os._exit(EXIT_CODE_OF_DIE)


def _entry(now: datetime, session: Session, delivery: Delivery, message_id: str, refusal: Refusal | None) -> Entry:
    return Entry(
        at=now,
        profile=session.profile_id,
        package=session.package_id,
        account=session.account,
        recipient=delivery.recipient,
        kind=delivery.content.type,
        content_hash=content_hash(delivery.content),
        delivery_id=delivery.delivery_id,
        message_id=None if refusal else message_id,
        code=refusal.code if refusal else None,
    )
