"""Judgement: what becomes of one send, by how the account stands and how it behaves."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from simulator.core.behaviour import BanRule, Behaviour
from simulator.core.brazil import known_number
from simulator.core.bucket import PAIR, Allowance
from simulator.core.contact import Contact
from simulator.core.customer_blocks import blocks, chance, rating
from simulator.core.failures import Driver
from simulator.core.portfolio import Portfolio
from simulator.core.quota import counted
from simulator.core.reports import Rating, Report, TemporarilyBanned, TimeLocked
from simulator.core.standing import Standing


@dataclass(frozen=True, slots=True)
class Message:
    """A send, as far as WhatsApp looks at it."""

    phone: str
    content: str
    """A hash of what is said."""
    template: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    refusal: str | None = None
    """Not sent: the code of the answer."""
    retry_after_seconds: float | None = None
    failure: str | None = None
    """Taken: the code of the receipt."""
    reached: bool = True
    """Not: the customer has blocked the account, and one tick is all there is."""
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """All that a judgement needs, and what it leaves behind."""

    driver: Driver
    behaviour: Behaviour
    standing: Standing
    message: Message
    now: datetime
    draw: Random
    seed: int = 1
    portfolio: Portfolio = field(default_factory=Portfolio)

    @property
    def contact(self) -> Contact:
        return self.standing.contact(self.message.phone)

    @property
    def known(self) -> bool:
        return self.message.phone in self.behaviour.known

    @property
    def cold(self) -> bool:
        """Neither in the address book nor written from in the last 28 days."""
        return not self.known and not self.contact.trusted(self.now)

    def standing_as(self, standing: Standing) -> "Case":
        return replace(self, standing=standing)


def judge(case: Case) -> tuple[Case, Verdict]:
    """The case after the send, and what became of it."""
    if case.driver == "cloud_api":
        return _judge_cloud(case)
    if case.standing.session(case.now) != "working":
        return case, Verdict(refusal="422" if case.driver == "waha" else "closed")
    return _judge_linked(case)


def exists(behaviour: Behaviour, phone: str, seed: int) -> bool:
    """Whether the number is on WhatsApp: the same answer for everybody who asks."""
    return phone in behaviour.known or Random(f"{seed}:{phone}:exists").random() >= behaviour.unknown_share


def quality(behaviour: Behaviour, standing: Standing, now: datetime) -> Rating:
    if standing.rating is not None or behaviour.quality is None:
        return standing.rating or "GREEN"
    return rating(behaviour.quality, blocks(standing.contacts.values(), now))


def _judge_linked(case: Case) -> tuple[Case, Verdict]:
    standing, now = case.standing, case.now
    misspelt = known_number(case.behaviour, case.message.phone) != case.message.phone
    if misspelt or not exists(case.behaviour, case.message.phone, case.seed):
        return case, Verdict(refusal="no_whatsapp") if case.driver == "evolution" else Verdict(failure="no_whatsapp")
    if not case.cold:
        return _delivered(case)
    if standing.lock.holds(now) or not case.behaviour.opens_chats or _capped(case):
        lock = standing.lock.struck(now)
        return case.standing_as(replace(standing, lock=lock)), Verdict(failure="463", reports=(TimeLocked(lock.until),))
    case, verdict = _delivered(case)
    case, news = _news(case)
    return case, replace(verdict, reports=(*verdict.reports, *news))


def _capped(case: Case) -> bool:
    """Whether one more contact is too many. A chat that waits for its answer is not one more."""
    rule = case.behaviour.quota
    if rule is None or case.contact.unanswered(case.standing.since, case.now):
        return False
    found = counted(rule, case.standing.contacts.values(), case.standing.since, _age_days(case), case.now)
    return found.warning == "CAPPED"


def _news(case: Case) -> tuple[Case, tuple[Report, ...]]:
    """What WhatsApp says after a cold send: how much of the quota is used, and whether it was one too many."""
    behaviour, standing, now = case.behaviour, case.standing, case.now
    news: list[Report] = []
    if behaviour.quota is not None:
        found = counted(behaviour.quota, standing.contacts.values(), standing.since, _age_days(case), now)
        if found.warning != standing.warning:
            news.append(found)
            standing = standing.after(found)
    code = None if behaviour.bans is None else _ban_code(behaviour.bans, standing, case.message.content, now)
    if behaviour.bans is not None and code is not None:
        ban = TemporarilyBanned(code, now + timedelta(hours=behaviour.bans.hours))
        news.append(ban)
        # The count begins anew: else the first send after the ban would be the next.
        standing = replace(standing.after(ban), cold=())
    return case.standing_as(standing), tuple(news)


def _ban_code(rule: BanRule, standing: Standing, content: str, now: datetime) -> int | None:
    reached = (
        (101, rule.cold, len(standing.cold)),
        (102, rule.blocks, blocks(standing.contacts.values(), now)),
        (104, rule.same_text, sum(each == content for _, each in standing.cold)),
    )
    return next((code for code, most, count in reached if most is not None and count >= most), None)


def _judge_cloud(case: Case) -> tuple[Case, Verdict]:
    behaviour, standing, now = case.behaviour, case.standing, case.now
    if standing.disabled or (standing.silenced_until is not None and now < standing.silenced_until):
        return case, Verdict(refusal="131031")
    if behaviour.throughput_per_second is not None:
        second = Allowance(timedelta(seconds=1) / behaviour.throughput_per_second, behaviour.throughput_per_second)
        bucket = standing.throughput.take(second, now)
        if bucket is None:
            return case, Verdict(refusal="130429", retry_after_seconds=1)
        case = case.standing_as(replace(standing, throughput=bucket))
    if behaviour.pair_limit:
        pair = case.contact.pair.take(PAIR, now)
        if pair is None:
            return case, _limited(behaviour, "131056")
        case = case.standing_as(case.standing.having(case.message.phone, replace(case.contact, pair=pair)))
    return _delivered(case) if case.contact.window_open(now) else _judge_opening(case)


def _judge_opening(case: Case) -> tuple[Case, Verdict]:
    """A message outside the customer's window."""
    behaviour, message, now = case.behaviour, case.message, case.now
    if not exists(behaviour, message.phone, case.seed):
        return case, Verdict(failure="131026")
    if behaviour.window and not message.template:
        return case, _limited(behaviour, "131047")
    if case.standing.lock.holds(now):
        return case, _limited(behaviour, "131048")
    if message.template and case.draw.random() < behaviour.marketing_cap_share:
        return case, Verdict(failure="131049")
    if behaviour.daily_users is not None:
        portfolio = case.portfolio.take(message.phone, behaviour.daily_users, now)
        if portfolio is None:
            return case, _limited(behaviour, "131048")
        case = replace(case, portfolio=portfolio)
    return _delivered(case)


def _limited(behaviour: Behaviour, code: str) -> Verdict:
    return Verdict(refusal=code) if behaviour.limits_told == "answer" else Verdict(failure=code)


def _delivered(case: Case) -> tuple[Case, Verdict]:
    """It goes out; the customer may block the account, or has."""
    behaviour, message, now = case.behaviour, case.message, case.now
    if not behaviour.remembers:
        return case, Verdict()
    if case.cold:
        case = case.standing_as(case.standing.opened(message.content, now))
    contact, reached = case.contact, case.contact.blocked_at is None
    same = sum(each == message.content for _, each in case.standing.cold)
    unanswered = contact.sends if contact.unanswered(case.standing.since, now) else 0
    likely = chance(behaviour.block_chance, not case.cold, same, now.hour, unanswered)
    if reached and case.draw.random() < likely:
        contact = replace(contact, blocked_at=now)
    before = quality(behaviour, case.standing, now)
    standing = case.standing.having(message.phone, contact.sent(now))
    reports: tuple[Report, ...] = ()
    rule = behaviour.quality
    if rule is not None and before != "RED" and quality(behaviour, standing, now) == "RED":
        reports = (TimeLocked(now + timedelta(hours=rule.restricted_hours)),)
        standing = standing.after(reports[0])
    return case.standing_as(standing), Verdict(reached=reached, reports=reports)


def _age_days(case: Case) -> float:
    return case.behaviour.age_days + (case.now - case.standing.since) / timedelta(days=1)
