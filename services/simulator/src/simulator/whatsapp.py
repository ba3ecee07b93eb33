"""WhatsApp: the network behind the gateways: how every account stands with it, and what it makes of their sends.

It lives in memory: a restart forgets whom an account wrote to, its locks and its bans.
"""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from simulator.accounts import Account, Key
from simulator.core.brazil import known_number
from simulator.core.faults import Plan
from simulator.core.judgement import Case, Message, exists, judge, quality
from simulator.core.mishaps import afflicted, ruled
from simulator.core.portfolio import Portfolio
from simulator.core.reports import Rating, Report, SessionStatus
from simulator.core.standing import Standing
from spreader.clock import Clock


@dataclass(frozen=True, slots=True)
class Judged:
    plan: Plan
    reports: tuple[Report, ...]
    """What happened to the account by it."""


class WhatsApp:
    def __init__(self, seed: int, clock: Clock) -> None:
        self._seed = seed
        self._clock = clock
        self._standings: dict[Key, Standing] = {}
        self._portfolios: dict[str, Portfolio] = {}
        self._sends = 0

    def judge(self, account: Account, message: Message, plan: Plan, now: datetime) -> Judged:
        """How a send goes that came through to WhatsApp. Our own wire has no behaviour."""
        if account.driver == "simulator" or plan.refusal is not None:
            return Judged(plan, ())
        self._sends += 1
        draw = Random(f"{self._seed}:{account.account}:{message.phone}:{self._sends}")
        portfolio = self._portfolios.get(account.waba_id, Portfolio())
        standing, behaviour = self.standing(account), account.behaviour
        case = Case(account.driver, behaviour, standing, message, now, draw, self._seed, portfolio)
        case, verdict = judge(case)
        self._standings[account.key] = case.standing
        if account.waba_id:
            self._portfolios[account.waba_id] = case.portfolio
        return Judged(afflicted(ruled(plan, verdict), behaviour, draw), verdict.reports)

    def hear(self, account: Account, phone: str, at: datetime) -> None:
        """A customer writes (or will): from then on the chat is open, and what was sent is answered."""
        if account.driver != "simulator":
            self._standings[account.key] = self.standing(account).heard(phone, at)

    def repeats(self, account: Account, message_id: str) -> bool:
        """Whether a customer's message is told twice."""
        return Random(f"{self._seed}:{message_id}").random() < account.behaviour.doubled_share

    def tell(self, account: Account, report: Report) -> None:
        """Something happened to the account, by a tester's will."""
        self._standings[account.key] = self.standing(account).after(report)

    def forget(self, account: Account) -> None:
        self._standings.pop(account.key, None)

    def standing(self, account: Account) -> Standing:
        if account.key not in self._standings:
            self._standings[account.key] = Standing(self._clock())
        return self._standings[account.key]

    def session(self, account: Account) -> SessionStatus:
        return self.standing(account).session(self._clock())

    def quality(self, account: Account) -> Rating:
        return quality(account.behaviour, self.standing(account), self._clock())

    def has(self, account: Account, phone: str) -> bool:
        """Whether the number is on WhatsApp."""
        return exists(account.behaviour, phone, self._seed)

    def known_number(self, account: Account, phone: str) -> str:
        """The number under which WhatsApp knows the customer."""
        return known_number(account.behaviour, phone)
