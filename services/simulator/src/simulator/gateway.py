"""Gateway: answers sends as the real gateways do, writes the send ledger, and schedules receipts and replies."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Never, assert_never

from simulator.accounts import GatewayAccount
from simulator.core.customers import (
    CustomerHabits,
    Reaction,
    SimulatedAnswer,
    SimulatedReceipt,
    reactions,
    server_receipt,
)
from simulator.core.faults import Delay, Die, FaultTarget, Hang, Interruption, Refusal, SendPlan
from simulator.core.reports import Report, SessionChanged, TemporarilyBanned
from simulator.core.verdict import MessageFacts
from simulator.customer_messages import PendingMessage
from simulator.dialects import DIALECTS
from simulator.dialects.dialect import SentMessage
from simulator.fault_registry import FaultRegistry
from simulator.send_ledger import LedgerEntry, SendLedger
from simulator.sends_in_flight import SendsInFlight
from simulator.shown_messages import ShownMessages
from simulator.webhook_caller import WebhookCaller, WebhookPost
from simulator.whatsapp import WhatsAppNetwork
from spreader.clock import Clock
from spreader.contract.content import Content, content_hash

STUCK = "stuck"
NOT_SENT = Refusal("transient")
"""What the ledger says of a send that hung before the message was sent."""
REPEAT_AFTER = timedelta(seconds=1)
"""If a customer's message is delivered twice, this much system time passes between the two deliveries."""
EXIT_CODE_OF_DIE = 137  # the exit code that a shell shows for a process that kill -9 ended

Disconnection = Callable[[], Coroutine[None, None, None]]
"""A function that waits until the caller disconnects."""


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    sent: SentMessage


@dataclass(frozen=True, slots=True)
class IncomingSend:
    """A valid send request, in the same form for all gateways."""

    delivery_id: str | None
    recipient: str
    content: Content
    quote: str | None = None
    """The id of the message that this message quotes. None if it quotes none."""

    @property
    def random_key(self) -> str:
        """The seed of the random reactions to this send.

        It is the delivery id. Without one it is a hash of the content, so equal contents get equal reactions.
        """
        return self.delivery_id or content_hash(self.content)

    @property
    def facts(self) -> MessageFacts:
        return MessageFacts(self.recipient, content_hash(self.content), self.content.type == "template")


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A fault held the send without an answer, until the caller disconnected or the fault ended."""


SendAnswer = MessageAccepted | Refusal | NoAnswer


class SimulatedGateway:
    def __init__(
        self,
        ledger: SendLedger,
        fault_registry: FaultRegistry,
        sends_in_flight: SendsInFlight,
        webhook_caller: WebhookCaller,
        whatsapp: WhatsAppNetwork,
        habits: CustomerHabits,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._fault_registry = fault_registry
        self._sends_in_flight = sends_in_flight
        self._webhook_caller = webhook_caller
        self._whatsapp = whatsapp
        self._habits = habits
        self._clock = clock
        self.shown_messages = ShownMessages()

    async def send(
        self, account: GatewayAccount, incoming: IncomingSend, until_disconnected: Disconnection
    ) -> SendAnswer:
        """Run one send. The injected faults may delay it, refuse it or change its receipts."""
        target = FaultTarget(account.profile_id, account.account, incoming.recipient, account.driver)
        with self._sends_in_flight.track(account.package_id):
            plan = self._fault_registry.plan(target)
            interruption = await self._interrupted(plan.before, until_disconnected)
            if interruption == "hung":  # the caller gets an error, so the ledger says that nothing was sent
                refused = replace(plan, refusal=NOT_SENT)
                self._ledger.write(_entry(self._clock(), account, incoming, "", refused))
            if interruption is not None:
                return NoAnswer()
            plan, answer = self._record(account, incoming, plan)
            if await self._interrupted(plan.after, until_disconnected):
                return NoAnswer()
            return answer if plan.refusal else plan.answer or answer

    def accept_customer_message(self, account: GatewayAccount, phone: str, text: str) -> str:
        """Store a customer's message that a tester requested, and call the webhook. Returns the message's id."""
        now = self._clock()
        message_id = DIALECTS[account.driver].message_id(now)
        self._whatsapp.customer_writes(account, phone, now)
        customer_message = PendingMessage.create(message_id, account, phone, text, now)
        self._webhook_caller.post(customer_message)
        if self._whatsapp.is_doubled(account, message_id):
            self._webhook_caller.schedule(WebhookPost.for_message(customer_message), REPEAT_AFTER)
        return message_id

    def report(self, account: GatewayAccount, report: Report) -> None:
        """Apply an account's event that a tester requested. If the real gateway would report it, call the webhook."""
        self._whatsapp.apply_report(account, report)
        self._send_report(account, report, self._clock())

    def _record(
        self, account: GatewayAccount, incoming: IncomingSend, plan: SendPlan
    ) -> tuple[SendPlan, MessageAccepted | Refusal]:
        """Write the ledger line and schedule the webhook calls of the send. Returns the final plan and the answer."""
        now = self._clock()
        judged = self._whatsapp.judge(account, incoming.facts, plan, now)
        plan = judged.plan
        message_id = DIALECTS[account.driver].message_id(now)
        self._ledger.write(_entry(now, account, incoming, message_id, plan))
        for report in judged.reports:
            self._send_report(account, report, now)
        if plan.refusal is not None:
            return plan, plan.refusal
        sent = SentMessage(message_id, incoming.delivery_id, incoming.recipient, incoming.content, now)
        self.shown_messages.add(account.key, sent)
        for body in DIALECTS[account.driver].echo(account, sent):
            self._webhook_caller.schedule(WebhookPost.create("receipt", account.key, body), timedelta())
        for reaction, wait in _timed(self._reactions(incoming, plan, now), now, plan):
            self._schedule(reaction, wait, account, sent, plan.receipts)
        return plan, MessageAccepted(sent)

    def _send_report(self, account: GatewayAccount, report: Report, now: datetime) -> None:
        """Report the event to the webhook. If it is a ban, also report at its end that the session works again."""
        dialect = DIALECTS[account.driver]
        for body in dialect.report(account, report, now):
            self._webhook_caller.schedule(WebhookPost.create("report", account.key, body), timedelta())
        if isinstance(report, TemporarilyBanned):
            for body in dialect.report(account, SessionChanged("working"), report.until):
                self._webhook_caller.schedule(WebhookPost.create("report", account.key, body), report.until - now)

    def _reactions(self, incoming: IncomingSend, plan: SendPlan, now: datetime) -> tuple[Reaction, ...]:
        server = server_receipt(self._habits.seed, incoming.random_key, incoming.recipient, now)
        if plan.failure == STUCK:
            return ()
        if plan.failure is not None:
            return (SimulatedReceipt("failed", server.at, plan.failure),)
        if not plan.reached:
            return (server,)
        return server, *reactions(self._habits, incoming.random_key, incoming.recipient, now)

    def _schedule(
        self, reaction: Reaction, wait: timedelta, account: GatewayAccount, sent: SentMessage, times: int
    ) -> None:
        match reaction:
            case SimulatedReceipt():
                for body in DIALECTS[account.driver].receipt(account, sent, reaction) * times:
                    self._webhook_caller.schedule(WebhookPost.create("receipt", account.key, body), wait)
            case SimulatedAnswer():
                message_id = DIALECTS[account.driver].message_id(reaction.at)
                customer_message = PendingMessage.create(
                    message_id, account, sent.recipient, reaction.text, reaction.at
                )
                self._whatsapp.customer_writes(account, sent.recipient, reaction.at)
                self._webhook_caller.schedule(WebhookPost.for_message(customer_message), wait)
            case _:
                assert_never(reaction)

    async def _interrupted(
        self, interruptions: tuple[Interruption, ...], until_disconnected: Disconnection
    ) -> Literal["hung", "left"] | None:
        """Run the interruptions one after another. Returns how one of them ended the send: it hung until the end of the
        fault, or until the caller left. None if the send goes on."""
        for interruption in interruptions:
            match interruption:
                case Delay(fault_id, seconds):
                    await (asyncio.sleep(seconds) if fault_id is None else self._fault_registry.wait(fault_id, seconds))
                case Hang(fault_id, seconds):
                    ended = await first_of(self._fault_registry.wait(fault_id, seconds), until_disconnected())
                    return "hung" if ended == 0 else "left"
                case Die():
                    die()
                case _:
                    assert_never(interruption)
        return None


async def first_of(*waits: Coroutine[None, None, None]) -> int:
    """Wait until one of the waits ends, and cancel the others. Returns the index of the one that ended."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(index for index, task in enumerate(tasks) if task.done())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def die() -> Never:
    os._exit(EXIT_CODE_OF_DIE)


def _timed(reactions: tuple[Reaction, ...], now: datetime, plan: SendPlan) -> list[tuple[Reaction, timedelta]]:
    """Each reaction with its delay. If `plan.disordered` is true, the last receipt comes first."""
    receipts = [reaction for reaction in reactions if isinstance(reaction, SimulatedReceipt)]
    times = [receipt.at for receipt in (reversed(receipts) if plan.disordered else receipts)]
    late = timedelta(seconds=plan.late_seconds)
    delayed: list[tuple[Reaction, timedelta]] = [
        (receipt, at - now + late) for receipt, at in zip(receipts, times, strict=True)
    ]
    return delayed + [(answer, answer.at - now) for answer in reactions if isinstance(answer, SimulatedAnswer)]


def _entry(
    now: datetime, account: GatewayAccount, incoming: IncomingSend, message_id: str, plan: SendPlan
) -> LedgerEntry:
    return LedgerEntry(
        at=now,
        profile=account.profile_id,
        package=account.package_id,
        account=account.account,
        recipient=incoming.recipient,
        kind=incoming.content.type,
        content_hash=content_hash(incoming.content),
        delivery_id=incoming.delivery_id,
        message_id=None if plan.refusal else message_id,
        code=plan.refusal.code if plan.refusal else plan.failure,
        driver=account.driver,
        quote=incoming.quote,
    )
