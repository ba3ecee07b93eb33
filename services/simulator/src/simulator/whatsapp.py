"""WhatsApp network: the state of every account at WhatsApp, and the verdict on each send.

The state is kept in memory, so a restart forgets contacts, locks and bans.
"""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from simulator.accounts import AccountKey, GatewayAccount
from simulator.core.account_state import AccountState, ChatLock
from simulator.core.faults import SendPlan
from simulator.core.phone_numbers import known_number
from simulator.core.portfolio import Portfolio
from simulator.core.random_faults import add_random_faults, apply_verdict
from simulator.core.reports import QualityRating, Report, SessionStatus
from simulator.core.verdict import MessageFacts, SendCase, exists, judge, quality
from spreader.clock import Clock


@dataclass(frozen=True, slots=True)
class JudgedSend:
    plan: SendPlan
    reports: tuple[Report, ...]
    """The events that the send causes for its account, such as a lock or a ban."""


class WhatsAppNetwork:
    def __init__(self, seed: int, clock: Clock) -> None:
        self._seed = seed
        self._clock = clock
        self._states: dict[AccountKey, AccountState] = {}
        self._portfolios: dict[str, Portfolio] = {}
        self._sends = 0

    def judge(self, account: GatewayAccount, message: MessageFacts, plan: SendPlan, now: datetime) -> JudgedSend:
        """Add to a send's plan what WhatsApp does with the send.

        The plan stays as it is if it already refuses the send. It also stays as it is if the account uses the
        simulator's own protocol, for which WhatsApp is not simulated.
        """
        if account.driver == "simulator" or plan.refusal is not None:
            return JudgedSend(plan, ())
        self._sends += 1
        draw = Random(f"{self._seed}:{account.account}:{message.phone}:{self._sends}")
        portfolio = self._portfolios.get(account.waba_id, Portfolio())
        state, behaviour = self.state(account), account.behaviour
        case = SendCase(account.driver, behaviour, state, message, now, draw, self._seed, portfolio)
        case, verdict = judge(case)
        self._states[account.key] = case.state
        if account.waba_id:
            self._portfolios[account.waba_id] = case.portfolio
        return JudgedSend(add_random_faults(apply_verdict(plan, verdict), behaviour, draw), verdict.reports)

    def customer_writes(self, account: GatewayAccount, phone: str, at: datetime) -> None:
        """Record that a customer writes to the account at the time `at`. This opens the chat and counts as a reply."""
        if account.driver != "simulator":
            self._states[account.key] = self.state(account).customer_wrote(phone, at)

    def is_doubled(self, account: GatewayAccount, message_id: str) -> bool:
        """Whether the simulator delivers this message of a customer to the webhook twice."""
        return Random(f"{self._seed}:{message_id}").random() < account.behaviour.doubled_share

    def apply_report(self, account: GatewayAccount, report: Report) -> None:
        """Change the account's state by an event that a tester requested."""
        self._states[account.key] = self.state(account).after(report)

    def forget(self, account: GatewayAccount) -> None:
        self._states.pop(account.key, None)

    def state(self, account: GatewayAccount) -> AccountState:
        if account.key not in self._states:
            self._states[account.key] = AccountState(self._clock())
        return self._states[account.key]

    def session(self, account: GatewayAccount) -> SessionStatus:
        return self.state(account).session(self._clock())

    def chat_lock(self, account: GatewayAccount) -> tuple[ChatLock, bool]:
        """The lock that was set last, and whether it is still active."""
        lock = self.state(account).lock
        return lock, lock.is_active(self._clock())

    def quality(self, account: GatewayAccount) -> QualityRating:
        return quality(account.behaviour, self.state(account), self._clock())

    def is_on_whatsapp(self, account: GatewayAccount, phone: str) -> bool:
        return exists(account.behaviour, phone, self._seed)

    def known_number(self, account: GatewayAccount, phone: str) -> str:
        return known_number(account.behaviour, phone)
