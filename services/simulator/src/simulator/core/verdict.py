"""Verdict: WhatsApp's decision about one send, by the account's state and behaviour."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from simulator.core.account_state import AccountState
from simulator.core.behaviour import BanRule, Behaviour
from simulator.core.contact import CustomerContact
from simulator.core.customer_blocks import block_probability, rating_for, recent_blocks
from simulator.core.failures import Driver
from simulator.core.phone_numbers import known_number
from simulator.core.portfolio import Portfolio
from simulator.core.quota import quota_usage
from simulator.core.rate_bucket import PAIR, Allowance
from simulator.core.reports import QualityRating, Report, TemporarilyBanned, TimeLocked


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What WhatsApp considers when it decides about a message."""

    phone: str
    content: str
    """A hash of the content."""
    template: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    refusal: str | None = None
    """The error code of the answer, if the message is not sent."""
    retry_after_seconds: float | None = None
    failure: str | None = None
    """The error code of the receipt, if the message is accepted and fails later."""
    reached: bool = True
    """False if the customer has blocked the account. Then only the `sent` receipt comes."""
    reports: tuple[Report, ...] = ()


@dataclass(frozen=True, slots=True)
class SendCase:
    """One send with everything that the verdict depends on. `judge` returns the case with the new state."""

    driver: Driver
    behaviour: Behaviour
    state: AccountState
    message: MessageFacts
    now: datetime
    draw: Random
    seed: int = 1
    portfolio: Portfolio = field(default_factory=Portfolio)

    @property
    def contact(self) -> CustomerContact:
        return self.state.contact(self.message.phone)

    @property
    def is_known(self) -> bool:
        return self.message.phone in self.behaviour.known

    @property
    def is_cold(self) -> bool:
        """Whether the contact is cold. It is cold if the account is not in the customer's address book, and the
        customer has not written in the last 28 days."""
        return not self.is_known and not self.contact.is_trusted(self.now)

    def with_state(self, state: AccountState) -> "SendCase":
        return replace(self, state=state)


def judge(case: SendCase) -> tuple[SendCase, Verdict]:
    """The case after the send, and the verdict."""
    if case.driver == "cloud_api":
        return _judge_cloud(case)
    if case.state.session(case.now) != "working":
        return case, Verdict(refusal="422" if case.driver == "waha" else "closed")
    return _judge_linked(case)


def exists(behaviour: Behaviour, phone: str, seed: int) -> bool:
    """Whether the number is on WhatsApp. The draw does not depend on the account."""
    return phone in behaviour.known or Random(f"{seed}:{phone}:exists").random() >= behaviour.unknown_share


def quality(behaviour: Behaviour, state: AccountState, now: datetime) -> QualityRating:
    if state.rating is not None or behaviour.quality is None:
        return state.rating or "GREEN"
    return rating_for(behaviour.quality, recent_blocks(state.contacts.values(), now))


def _judge_linked(case: SendCase) -> tuple[SendCase, Verdict]:
    state, now = case.state, case.now
    has_extra_nine = known_number(case.behaviour, case.message.phone) != case.message.phone
    if has_extra_nine or not exists(case.behaviour, case.message.phone, case.seed):
        return case, Verdict(refusal="no_whatsapp") if case.driver == "evolution" else Verdict(failure="no_whatsapp")
    if not case.is_cold:
        return _delivered(case)
    if state.lock.is_active(now) or not case.behaviour.opens_chats or _capped(case):
        lock = state.lock.after_attempt(now)
        return case.with_state(replace(state, lock=lock)), Verdict(failure="463", reports=(TimeLocked(lock.until),))
    case, verdict = _delivered(case)
    case, reports = _reports_after_cold_send(case)
    return case, replace(verdict, reports=(*verdict.reports, *reports))


def _capped(case: SendCase) -> bool:
    """Whether the quota is used up. A further message to a contact who has not replied needs no quota."""
    rule = case.behaviour.quota
    if rule is None or case.contact.is_unanswered(case.state.since, case.now):
        return False
    usage = quota_usage(rule, case.state.contacts.values(), case.state.since, _age_days(case), case.now)
    return usage.warning == "CAPPED"


def _reports_after_cold_send(case: SendCase) -> tuple[SendCase, tuple[Report, ...]]:
    """The reports that a send to a cold contact causes: a new warning level of the quota, and a ban."""
    behaviour, state, now = case.behaviour, case.state, case.now
    reports: list[Report] = []
    if behaviour.quota is not None:
        usage = quota_usage(behaviour.quota, state.contacts.values(), state.since, _age_days(case), now)
        if usage.warning != state.warning:
            reports.append(usage)
            state = state.after(usage)
    code = None if behaviour.bans is None else _ban_code(behaviour.bans, state, case.message.content, now)
    if behaviour.bans is not None and code is not None:
        ban = TemporarilyBanned(code, now + timedelta(hours=behaviour.bans.hours))
        reports.append(ban)
        # The count is reset, because otherwise the first send after the ban would cause the next ban.
        state = replace(state.after(ban), cold=())
    return case.with_state(state), tuple(reports)


def _ban_code(rule: BanRule, state: AccountState, content: str, now: datetime) -> int | None:
    reached = (
        (101, rule.cold, len(state.cold)),
        (102, rule.blocks, recent_blocks(state.contacts.values(), now)),
        (104, rule.same_text, sum(sent == content for _, sent in state.cold)),
    )
    return next((code for code, limit, count in reached if limit is not None and count >= limit), None)


def _judge_cloud(case: SendCase) -> tuple[SendCase, Verdict]:
    behaviour, state, now = case.behaviour, case.state, case.now
    if state.disabled or (state.silenced_until is not None and now < state.silenced_until):
        return case, Verdict(refusal="131031")
    if behaviour.throughput_per_second is not None:
        second = Allowance(timedelta(seconds=1) / behaviour.throughput_per_second, behaviour.throughput_per_second)
        bucket = state.throughput.take(second, now)
        if bucket is None:
            return case, Verdict(refusal="130429", retry_after_seconds=1)
        case = case.with_state(replace(state, throughput=bucket))
    if behaviour.pair_limit:
        pair = case.contact.pair.take(PAIR, now)
        if pair is None:
            return case, _limited(behaviour, "131056")
        case = case.with_state(case.state.with_contact(case.message.phone, replace(case.contact, pair=pair)))
    return _delivered(case) if case.contact.is_window_open(now) else _judge_opening(case)


def _judge_opening(case: SendCase) -> tuple[SendCase, Verdict]:
    """The verdict about a message outside the customer's window."""
    behaviour, message, now = case.behaviour, case.message, case.now
    if not exists(behaviour, message.phone, case.seed):
        return case, Verdict(failure="131026")
    if behaviour.window and not message.template:
        return case, _limited(behaviour, "131047")
    if case.state.lock.is_active(now):
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


def _delivered(case: SendCase) -> tuple[SendCase, Verdict]:
    """The message goes out. The customer may block the account, or has blocked it before."""
    behaviour, message, now = case.behaviour, case.message, case.now
    if not behaviour.remembers:
        return case, Verdict()
    if case.is_cold:
        case = case.with_state(case.state.with_cold_send(message.content, now))
    contact, reached = case.contact, case.contact.blocked_at is None
    same = sum(content == message.content for _, content in case.state.cold)
    unanswered = contact.sends if contact.is_unanswered(case.state.since, now) else 0
    probability = block_probability(behaviour.block_chance, not case.is_cold, same, now.hour, unanswered)
    if reached and case.draw.random() < probability:
        contact = replace(contact, blocked_at=now)
    before = quality(behaviour, case.state, now)
    state = case.state.with_contact(message.phone, contact.message_sent(now))
    reports: tuple[Report, ...] = ()
    rule = behaviour.quality
    if rule is not None and before != "RED" and quality(behaviour, state, now) == "RED":
        reports = (TimeLocked(now + timedelta(hours=rule.restricted_hours)),)
        state = state.after(reports[0])
    return case.with_state(state), Verdict(reached=reached, reports=reports)


def _age_days(case: SendCase) -> float:
    return case.behaviour.age_days + (case.now - case.state.since) / timedelta(days=1)
