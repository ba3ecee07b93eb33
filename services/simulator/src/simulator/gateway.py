"""Gateway: takes sends as WhatsApp's would, keeps the ledger of them, and lets the customers react."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Never, assert_never

from simulator.accounts import Account
from simulator.callbacks import Callback, Callbacks
from simulator.core.customers import Answer, Habits, Reaction, Receipt, reactions, tick
from simulator.core.faults import Delay, Die, Hang, Plan, Refusal, Stop, Target
from simulator.core.judgement import Message
from simulator.core.reports import Report, SessionChanged, TemporarilyBanned
from simulator.dialects import DIALECTS
from simulator.dialects.dialect import Sent
from simulator.flights import Flights
from simulator.ledger import Entry, Ledger
from simulator.mailbox import Letter
from simulator.switchboard import Switchboard
from simulator.whatsapp import WhatsApp
from spreader.clock import Clock
from spreader.contract.content import Content, content_hash

STUCK = "stuck"
REPEAT_AFTER = timedelta(seconds=1)
"""A customer's message that is told twice comes again after so much of the system's time."""
EXIT_CODE_OF_DIE = 137  # what a shell reports after kill -9

Leaving = Callable[[], Coroutine[None, None, None]]
"""Ends when the caller has left."""


@dataclass(frozen=True, slots=True)
class Accepted:
    sent: Sent


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be sent, and to whom."""

    delivery_id: str | None
    recipient: str
    content: Content
    quote: str | None = None
    """The message that it answers."""

    @property
    def name(self) -> str:
        """What it is called where chance is drawn for it: equal sends without an id fare alike."""
        return self.delivery_id or content_hash(self.content)

    @property
    def message(self) -> Message:
        return Message(self.recipient, content_hash(self.content), self.content.type == "template")


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
        whatsapp: WhatsApp,
        habits: Habits,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._switchboard = switchboard
        self._flights = flights
        self._callbacks = callbacks
        self._whatsapp = whatsapp
        self._habits = habits
        self._clock = clock

    async def send(self, account: Account, delivery: Delivery, leaving: Leaving) -> SendAnswer:
        """One send, as the faults in force let it go."""
        target = Target(account.profile_id, account.account, delivery.recipient, account.driver)
        with self._flights.one(account.package_id):
            plan = self._switchboard.plan(target)
            if await self._hangs(plan.before, leaving):
                return Silence()
            plan, answer = self._record(account, delivery, plan)
            if await self._hangs(plan.after, leaving):
                return Silence()
            return answer if plan.refusal else plan.answer or answer

    def take_from_customer(self, account: Account, phone: str, text: str) -> str:
        """A customer writes by itself; answers the message's id when it is kept."""
        now = self._clock()
        message_id = DIALECTS[account.driver].message_id(now)
        self._whatsapp.hear(account, phone, now)
        letter = Letter.written(message_id, account, phone, text, now)
        self._callbacks.post(letter)
        if self._whatsapp.repeats(account, message_id):
            self._callbacks.schedule(Callback.of(letter), REPEAT_AFTER)
        return message_id

    def report(self, account: Account, report: Report) -> None:
        """Something happens to the account by itself, and its gateway tells the webhook."""
        self._whatsapp.tell(account, report)
        self._tell(account, report, self._clock())

    def _record(self, account: Account, delivery: Delivery, plan: Plan) -> tuple[Plan, Accepted | Refusal]:
        """The ledger's line, and all that follows from the send; answers how it went after all."""
        now = self._clock()
        judged = self._whatsapp.judge(account, delivery.message, plan, now)
        plan = judged.plan
        message_id = DIALECTS[account.driver].message_id(now)
        self._ledger.write(_entry(now, account, delivery, message_id, plan))
        for report in judged.reports:
            self._tell(account, report, now)
        if plan.refusal is not None:
            return plan, plan.refusal
        sent = Sent(message_id, delivery.delivery_id, delivery.recipient, delivery.content, now)
        for said in DIALECTS[account.driver].echo(account, sent):
            self._callbacks.schedule(Callback.told("receipt", account.key, said), timedelta())
        for reaction, wait in _timed(self._reactions(delivery, plan, now), now, plan):
            self._schedule(reaction, wait, account, sent, plan.receipts)
        return plan, Accepted(sent)

    def _tell(self, account: Account, report: Report, now: datetime) -> None:
        """Tell the webhook; after a ban also that the session works again, when it does."""
        dialect = DIALECTS[account.driver]
        for said in dialect.report(account, report, now):
            self._callbacks.schedule(Callback.told("report", account.key, said), timedelta())
        if isinstance(report, TemporarilyBanned):
            for said in dialect.report(account, SessionChanged("working"), report.until):
                self._callbacks.schedule(Callback.told("report", account.key, said), report.until - now)

    def _reactions(self, delivery: Delivery, plan: Plan, now: datetime) -> tuple[Reaction, ...]:
        seen = tick(self._habits.seed, delivery.name, delivery.recipient, now)
        if plan.failure == STUCK:
            return ()
        if plan.failure is not None:
            return (Receipt("failed", seen.at, plan.failure),)
        if not plan.reached:
            return (seen,)
        return seen, *reactions(self._habits, delivery.name, delivery.recipient, now)

    def _schedule(self, reaction: Reaction, wait: timedelta, account: Account, sent: Sent, times: int) -> None:
        match reaction:
            case Receipt():
                for said in DIALECTS[account.driver].receipt(account, sent, reaction) * times:
                    self._callbacks.schedule(Callback.told("receipt", account.key, said), wait)
            case Answer():
                message_id = DIALECTS[account.driver].message_id(reaction.at)
                letter = Letter.written(message_id, account, sent.recipient, reaction.text, reaction.at)
                self._whatsapp.hear(account, sent.recipient, reaction.at)
                self._callbacks.schedule(Callback.of(letter), wait)
            case _:
                assert_never(reaction)

    async def _hangs(self, stops: tuple[Stop, ...], leaving: Leaving) -> bool:
        """Make the stops; answers whether one of them is the send's end."""
        for stop in stops:
            match stop:
                case Delay(fault_id, seconds):
                    await (asyncio.sleep(seconds) if fault_id is None else self._switchboard.hold(fault_id, seconds))
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


def _timed(found: tuple[Reaction, ...], now: datetime, plan: Plan) -> list[tuple[Reaction, timedelta]]:
    """Each with the time until it is told. Disordered: the last receipt is told at the moment of the first."""
    receipts = [each for each in found if isinstance(each, Receipt)]
    moments = [each.at for each in (reversed(receipts) if plan.disordered else receipts)]
    late = timedelta(seconds=plan.late_seconds)
    told: list[tuple[Reaction, timedelta]] = [
        (receipt, moment - now + late) for receipt, moment in zip(receipts, moments, strict=True)
    ]
    return told + [(each, each.at - now) for each in found if isinstance(each, Answer)]


def _entry(now: datetime, account: Account, delivery: Delivery, message_id: str, plan: Plan) -> Entry:
    return Entry(
        at=now,
        profile=account.profile_id,
        package=account.package_id,
        account=account.account,
        recipient=delivery.recipient,
        kind=delivery.content.type,
        content_hash=content_hash(delivery.content),
        delivery_id=delivery.delivery_id,
        message_id=None if plan.refusal else message_id,
        code=plan.refusal.code if plan.refusal else plan.failure,
        driver=account.driver,
        quote=delivery.quote,
    )
