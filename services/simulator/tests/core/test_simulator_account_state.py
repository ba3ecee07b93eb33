"""Rules of WhatsApp: locks, quotas, rate buckets, portfolios, trust, blocks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.account_state import LOCK_STEPS, ChatLock
from simulator.core.behaviour import QualityRule, QuotaRule
from simulator.core.contact import TRUST, WINDOW, CustomerContact
from simulator.core.customer_blocks import RATING_SPAN, block_probability, rating_for, recent_blocks
from simulator.core.phone_numbers import hide_number, reveal_number
from simulator.core.portfolio import Portfolio
from simulator.core.quota import allowed, quota_usage, warning_level
from simulator.core.rate_bucket import PAIR, Allowance, RateBucket

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

gaps = st.lists(st.sampled_from([0, 1, 59, 60, 61, 3_600, 86_399, 86_401, 604_801]), max_size=12)


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


def test_each_lock_is_longer_and_an_attempt_restarts_it() -> None:
    lock = ChatLock().after_attempt(NOON)
    assert (lock.until, lock.locks) == (NOON + seconds(60), 1)
    lock = lock.after_attempt(NOON + seconds(50))
    assert (lock.until, lock.locks) == (NOON + seconds(110), 1)
    lock = lock.after_attempt(NOON + seconds(110))
    assert (lock.until, lock.locks) == (NOON + seconds(110) + timedelta(hours=24), 2)
    lock = lock.after_attempt(NOON + timedelta(days=3))
    assert (lock.until, lock.locks) == (NOON + timedelta(days=10), 3)
    assert lock.after_attempt(NOON + timedelta(days=30)).until == NOON + timedelta(days=37)


@given(gaps)
def test_a_lock_never_gets_shorter_and_its_step_grows_only_when_the_last_was_over(waits: list[int]) -> None:
    lock, now = ChatLock(), NOON
    for wait in waits:
        now += seconds(wait)
        held, before = lock.is_active(now), lock
        lock = lock.after_attempt(now)
        assert lock.is_active(now)
        assert lock.until is not None
        assert before.until is None or lock.until >= before.until
        assert lock.locks == (before.locks if held else before.locks + 1)
        assert lock.until - now >= LOCK_STEPS[min(lock.locks, 3) - 1]


@given(
    interval=st.integers(1, 5),
    burst=st.integers(1, 4),
    waits=st.lists(st.integers(0, 6), min_size=1, max_size=40),
)
def test_a_bucket_gives_no_more_than_its_burst_and_one_each_interval(
    interval: int, burst: int, waits: list[int]
) -> None:
    allowance, bucket, now = Allowance(seconds(interval), burst), RateBucket(), NOON
    taken: list[datetime] = []
    for wait in waits:
        now += seconds(wait)
        after = bucket.take(allowance, now)
        if after is None:
            recent = [at for at in taken if at > now - allowance.interval * burst]
            assert len(recent) >= 1
        else:
            bucket = after
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            span = (taken[last] - taken[first]) // allowance.interval
            assert last - first + 1 <= burst + span
    assert taken[0] == NOON + seconds(waits[0])


def test_a_pair_may_have_45_at_once_and_then_one_every_six_seconds() -> None:
    bucket, now, taken = RateBucket(), NOON, 0
    while (after := bucket.take(PAIR, now)) is not None:
        bucket, taken = after, taken + 1
    assert taken == 45
    assert bucket.take(PAIR, now + seconds(5.9)) is None
    assert bucket.take(PAIR, now + seconds(6)) is not None


@given(
    total=st.integers(1, 12),
    events=st.lists(st.tuples(st.sampled_from(["open", "answer"]), st.integers(0, 5)), max_size=30),
)
def test_the_quota_counts_contacts_without_a_reply(total: int, events: list[tuple[str, int]]) -> None:
    contacts: dict[int, CustomerContact] = {}
    waiting: set[int] = set()
    now = NOON
    for what, who in events:
        now += HOUR
        contact = contacts.get(who, CustomerContact())
        contacts[who] = contact.message_sent(now) if what == "open" else contact.customer_wrote(now)
        waiting = waiting | {who} if what == "open" else waiting - {who}
    found = quota_usage(QuotaRule(total=total, days=30), contacts.values(), NOON, age_days=365, now=now)
    assert (found.total, found.used) == (total, len(waiting))
    assert (found.warning == "CAPPED") == (len(waiting) >= total)


def test_a_new_quota_cycle_begins_empty() -> None:
    contact = CustomerContact().message_sent(NOON + HOUR)
    rule = QuotaRule(total=1, days=2)
    first = quota_usage(rule, [contact], NOON, 365, NOON + timedelta(days=1))
    next_one = quota_usage(rule, [contact], NOON, 365, NOON + timedelta(days=2))
    assert (first.warning, first.resets_at) == ("CAPPED", NOON + timedelta(days=2))
    assert (next_one.used, next_one.warning, next_one.resets_at) == (0, "NONE", NOON + timedelta(days=4))


@pytest.mark.parametrize(
    ("used", "said"),
    [(0, "NONE"), (6, "NONE"), (7, "FIRST_WARNING"), (8, "FIRST_WARNING"), (9, "SECOND_WARNING"), (10, "CAPPED")],
)
def test_whatsapp_warns_at_seventy_and_ninety_percent(used: int, said: str) -> None:
    assert warning_level(10, used) == said


@pytest.mark.parametrize(("age_days", "total"), [(0, 10), (2, 30), (14, 150), (29, 300), (300, 300)])
def test_a_young_account_has_a_share_of_the_quota(age_days: float, total: int) -> None:
    assert allowed(QuotaRule(total=300), age_days) == total


def test_a_contact_is_trusted_for_28_days_and_its_window_is_open_for_one() -> None:
    contact = CustomerContact().customer_wrote(NOON)
    assert not contact.is_trusted(NOON - seconds(1))
    assert contact.is_trusted(NOON + TRUST - seconds(1))
    assert not contact.is_trusted(NOON + TRUST)
    assert contact.is_window_open(NOON + WINDOW - seconds(1))
    assert not contact.is_window_open(NOON + WINDOW)


def test_a_future_reply_does_not_change_present_trust() -> None:
    contact = CustomerContact().customer_wrote(NOON).customer_wrote(NOON + timedelta(days=40))
    assert contact.is_trusted(NOON + timedelta(days=1))
    assert not contact.is_trusted(NOON + timedelta(days=35))
    assert contact.is_trusted(NOON + timedelta(days=41))
    asked = contact.message_sent(NOON + HOUR)
    assert asked.is_unanswered(NOON, NOON + timedelta(days=39))
    assert not asked.is_unanswered(NOON, NOON + timedelta(days=40))


def test_a_customer_counts_for_a_day_from_the_first_message_on() -> None:
    first = Portfolio().take("anna", 1, NOON)
    assert first is not None
    again = first.take("anna", 1, NOON + HOUR * 20)
    assert again is not None
    assert again.take("ben", 1, NOON + HOUR * 23) is None
    assert again.take("ben", 1, NOON + HOUR * 24) is not None


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=25), st.integers(1, 4))
def test_a_portfolio_never_has_more_users_than_it_may_in_any_day(sends: list[tuple[int, int]], most: int) -> None:
    portfolio, now = Portfolio(), NOON
    taken: list[tuple[datetime, int]] = []
    for who, hours in sends:
        now += HOUR * hours
        after = portfolio.take(str(who), most, now)
        if after is not None:
            portfolio = after
            new = not any(each == who and at > now - timedelta(hours=24) for at, each in taken)
            taken += [(now, who)] if new else []
    for at, _ in taken:
        assert len({who for when, who in taken if at - timedelta(hours=24) < when <= at}) <= most


@given(
    base=st.floats(0, 1), known=st.booleans(), same=st.integers(0, 30), hour=st.integers(0, 23), sends=st.integers(0, 9)
)
def test_what_raises_the_probability_of_a_block(base: float, known: bool, same: int, hour: int, sends: int) -> None:
    found = block_probability(base, known, same, hour, sends)
    assert 0 <= found <= 1
    assert block_probability(base, True, same, hour, sends) <= block_probability(base, False, same, hour, sends)
    assert block_probability(base, known, same, 12, sends) <= block_probability(base, known, same, 23, sends)
    assert block_probability(base, known, 0, hour, sends) <= block_probability(base, known, 30, hour, sends)
    assert found <= block_probability(base, known, same, hour, sends + 1)
    assert block_probability(0, known, same, hour, sends) == 0


def test_examples_of_block_probabilities() -> None:
    found = [block_probability(0.1, known, same, hour, sends) for known, same, hour, sends in (
        (False, 0, 12, 0), (True, 0, 12, 0), (False, 10, 12, 0), (False, 0, 23, 0), (False, 0, 7, 0), (False, 0, 12, 2),
    )]  # fmt: skip
    assert found == pytest.approx([0.1, 0.01, 0.15, 0.15, 0.15, 0.225])


def test_blocks_of_a_week_make_a_number_yellow_and_then_red() -> None:
    now = NOON + RATING_SPAN
    contacts = [replace(CustomerContact(), blocked_at=NOON + HOUR * number) for number in range(5)]
    assert [recent_blocks(contacts, now + HOUR * number) for number in (-1, 0, 1, 3, 4)] == [5, 4, 3, 1, 0]
    assert [rating_for(QualityRule(yellow=2, red=4), count) for count in range(5)] == [
        "GREEN", "GREEN", "YELLOW", "YELLOW", "RED",
    ]  # fmt: skip


@given(st.from_regex("[0-9]{7,15}", fullmatch=True))
def test_a_hidden_id_is_revealed_and_no_other_is(phone: str) -> None:
    assert reveal_number(hide_number(phone)) == phone
    assert reveal_number(hide_number(phone) + "1") is None
