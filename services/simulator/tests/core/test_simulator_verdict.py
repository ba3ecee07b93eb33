"""WhatsApp's verdicts as stories: cold contacts, quotas, bans and Meta's limits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.account_state import AccountState
from simulator.core.behaviour import Behaviour
from simulator.core.failures import FAILURES, Driver
from simulator.core.faults import Delay, Refusal, SendPlan
from simulator.core.random_faults import add_random_faults, apply_verdict
from simulator.core.reports import (
    AccountDisabled,
    QualityRated,
    QuotaCounted,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.core.verdict import MessageFacts, SendCase, Verdict, exists, judge, quality

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BEN, CARL = "201000000001", "201000000002", "201000000003"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Story:
    """One account and what happens to it, one thing after the other."""

    def __init__(self, driver: Driver, **behaviour: Any) -> None:
        self.case = SendCase(
            driver, Behaviour(**behaviour), AccountState(NOON), MessageFacts("", "", False), NOON, Random(1)
        )

    def send(self, phone: str, after: timedelta = timedelta(0), content: str = "", template: bool = False) -> Verdict:
        message = MessageFacts(phone, content or phone, template)
        case = replace(self.case, message=message, now=self.case.now + after)
        self.case, verdict = judge(case)
        return verdict

    def customer_writes(self, phone: str) -> None:
        self.case = self.case.with_state(self.case.state.customer_wrote(phone, self.case.now))

    def happen(self, report: Report) -> None:
        self.case = self.case.with_state(self.case.state.after(report))

    def said(self, phones: Sequence[str], **more: Any) -> list[str | None]:
        """The codes of sends to each."""
        verdicts = [self.send(phone, **more) for phone in phones]
        return [verdict.refusal or verdict.failure for verdict in verdicts]


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
def test_an_account_without_behaviour_accepts_everything(driver: Driver) -> None:
    story = Story(driver)
    assert story.said([ANNA, BEN] * 50) == [None] * 100
    assert story.case.state == AccountState(NOON)


def test_an_account_that_opens_no_chats_reaches_warm_contacts() -> None:
    story = Story("waha", opens_chats=False, known=(BEN,))
    story.customer_writes(CARL)
    assert story.said([ANNA, BEN, CARL]) == ["463", None, None]
    assert story.send(CARL, after=28 * DAY).failure == "463"


def test_the_quota_warns_then_fails_with_463_and_a_reply_frees_one() -> None:
    story = Story("evolution", quota={"total": 10})
    people = [f"2010000001{number:02}" for number in range(12)]
    reports = [story.send(person).reports for person in people[:10]]
    warnings = [found.warning for each in reports for found in each if isinstance(found, QuotaCounted)]
    assert warnings == ["FIRST_WARNING", "SECOND_WARNING", "CAPPED"]
    assert story.send(people[0]).failure is None
    verdict = story.send(people[10])
    assert (verdict.failure, verdict.reports) == ("463", (TimeLocked(NOON + timedelta(seconds=60)),))
    story.customer_writes(people[3])
    assert story.send(people[3]).failure is None
    assert story.send(people[10], after=timedelta(seconds=61)).failure is None
    assert story.send(people[11]).failure == "463"


def test_an_attempt_during_a_lock_extends_it() -> None:
    story = Story("waha", opens_chats=False)
    ends = [story.send(ANNA, after=timedelta(seconds=gap)).reports[0] for gap in (0, 30, 61, 3600)]
    starts = [0, 30, 91, 3691]
    spans = [60, 60, 86_400, 86_400]
    assert ends == [
        TimeLocked(NOON + timedelta(seconds=start + span)) for start, span in zip(starts, spans, strict=True)
    ]


@pytest.mark.parametrize(
    ("rule", "sends", "code"),
    [
        ({"cold": 3}, [(ANNA, "a"), (BEN, "b"), (CARL, "c")], 101),
        ({"same_text": 2}, [(ANNA, "a"), (BEN, "b"), (CARL, "a")], 104),
        ({"cold": 9, "same_text": 9}, [(ANNA, "a"), (BEN, "b"), (CARL, "a")], None),
    ],
)
def test_too_many_cold_sends_cause_a_ban(rule: dict[str, int], sends: list[tuple[str, str]], code: int | None) -> None:
    story = Story("waha", bans={**rule, "hours": 2})
    reports = [report for phone, content in sends for report in story.send(phone, content=content).reports]
    assert reports == ([] if code is None else [TemporarilyBanned(code, NOON + 2 * HOUR)])
    assert story.said([ANNA]) == ["422" if code else None]
    after = story.send(ANNA, after=2 * HOUR)
    assert (after.refusal, after.reports) == (None, ())


def test_many_blocks_cause_a_ban() -> None:
    story = Story("waha", block_chance=1.0, bans={"blocks": 2})
    first = story.send(ANNA)
    assert (first.reached, first.reports) == (True, ())
    assert not story.send(ANNA).reached
    assert story.send(BEN).reports == (TemporarilyBanned(102, NOON + DAY),)


@pytest.mark.parametrize(("driver", "code"), [("waha", "422"), ("evolution", "closed")])
def test_only_a_working_session_sends(driver: Driver, code: str) -> None:
    story = Story(driver)
    steps: list[tuple[SessionStatus, str | None]] = [
        ("unlinked", code), ("working", None), ("stopped", code), ("working", None),
    ]  # fmt: skip
    for status, said in steps:
        story.happen(SessionChanged(status))
        assert story.said([ANNA]) == [said]
    story.happen(AccountDisabled())
    assert story.said([ANNA]) == [code]


def test_a_reported_lock_affects_only_cold_contacts() -> None:
    story = Story("waha", known=(BEN,))
    story.happen(TimeLocked(NOON + HOUR))
    assert story.said([ANNA, BEN]) == ["463", None]
    story.happen(TimeLocked(None))
    assert story.said([ANNA, BEN]) == [None, None]


def test_all_accounts_agree_on_who_is_on_whatsapp() -> None:
    behaviour = Behaviour(unknown_share=0.5)
    phones = [f"2010000{number:05}" for number in range(400)]
    missing = [phone for phone in phones if not exists(behaviour, phone, 1)]
    assert 150 < len(missing) < 250
    found = {
        driver: Story(driver, unknown_share=0.5).said(missing[:1]) for driver in ("cloud_api", "waha", "evolution")
    }
    assert found == {"cloud_api": ["131026"], "waha": ["no_whatsapp"], "evolution": ["no_whatsapp"]}


def test_free_text_needs_an_open_window_and_a_template_does_not() -> None:
    story = Story("cloud_api", window=True)
    assert story.said([ANNA]) == ["131047"]
    assert story.said([ANNA], template=True) == [None]
    story.customer_writes(ANNA)
    assert story.said([ANNA]) == [None]
    assert story.said([ANNA], after=DAY) == ["131047"]


@pytest.mark.parametrize(
    ("channel", "verdict"), [("answer", Verdict(refusal="131056")), ("receipt", Verdict(failure="131056"))]
)
def test_a_pair_is_limited_and_others_are_not(channel: str, verdict: Verdict) -> None:
    story = Story("cloud_api", pair_limit=True, limits_told=channel)
    assert story.said([ANNA] * 45) == [None] * 45
    assert story.send(ANNA) == verdict
    assert story.said([BEN]) == [None]
    assert story.send(ANNA, after=timedelta(seconds=6)) == Verdict()


def test_a_number_has_a_throughput() -> None:
    story = Story("cloud_api", throughput_per_second=2)
    assert story.said([ANNA, BEN, CARL]) == [None, None, "130429"]
    assert story.send(CARL, after=timedelta(seconds=0.5)) == Verdict()


def test_a_portfolio_has_a_daily_limit_of_customers() -> None:
    story = Story("cloud_api", daily_users=2)
    story.customer_writes(CARL)
    assert story.said([ANNA, BEN, ANNA, CARL, "201000000004"]) == [None, None, None, None, "131048"]
    assert story.said(["201000000004"], after=DAY) == [None]


def test_a_share_of_templates_is_capped() -> None:
    story = Story("cloud_api", marketing_cap_share=0.5)
    found = story.said([f"2010000{number:05}" for number in range(200)], template=True)
    assert 70 < found.count("131049") < 130
    assert found.count("131049") + found.count(None) == 200
    assert story.said([ANNA] * 20) == [None] * 20


def test_a_number_turns_yellow_and_then_red_and_red_closes_new_chats() -> None:
    story = Story("cloud_api", block_chance=1.0, quality={"yellow": 1, "red": 2, "restricted_hours": 3})
    story.customer_writes(CARL)
    ratings = [quality(story.case.behaviour, story.case.state, NOON)]
    reports: list[Report] = []
    for phone in (ANNA, BEN):
        reports += story.send(phone).reports
        ratings.append(quality(story.case.behaviour, story.case.state, NOON))
    assert ratings == ["GREEN", "YELLOW", "RED"]
    assert reports == [TimeLocked(NOON + 3 * HOUR)]
    assert story.said(["201000000009", CARL]) == ["131048", None]
    assert story.said(["201000000009"], after=3 * HOUR) == [None]


def test_a_silenced_or_disabled_business_cannot_reply() -> None:
    story = Story("cloud_api")
    story.customer_writes(ANNA)
    story.happen(Silenced(NOON + HOUR))
    assert story.said([ANNA]) == ["131031"]
    assert story.said([ANNA], after=HOUR) == [None]
    story.happen(AccountDisabled())
    assert story.said([ANNA]) == ["131031"]
    story.happen(AccountDisabled(reinstated=True))
    story.happen(QualityRated("RED"))
    assert story.said([ANNA]) == [None]
    assert quality(story.case.behaviour, story.case.state, NOON) == "RED"


shares = st.sampled_from([0.0, 0.5, 1.0])
behaviours = st.builds(
    Behaviour,
    opens_chats=st.booleans(), unknown_share=shares, block_chance=shares, window=st.booleans(),
    pair_limit=st.booleans(), marketing_cap_share=shares, throughput_per_second=st.none() | st.just(1),
    daily_users=st.none() | st.just(1), limits_told=st.sampled_from(["answer", "receipt"]),
    quota=st.none() | st.builds(dict, total=st.integers(1, 3)),
    bans=st.none() | st.builds(dict, cold=st.integers(1, 3)),
    quality=st.none() | st.builds(dict, yellow=st.just(1), red=st.integers(1, 2)),
    stuck_share=shares, missing_share=shares, doubled_share=shares, late_share=shares, disordered_share=shares,
    lost_answer_share=shares, slow_share=shares,
)  # fmt: skip


@given(
    driver=st.sampled_from(["cloud_api", "waha", "evolution"]),
    behaviour=behaviours,
    sends=st.lists(
        st.tuples(st.sampled_from([ANNA, BEN, CARL]), st.sampled_from([0, 1, 90_000]), st.booleans()), max_size=12
    ),
)
def test_every_verdict_has_at_most_one_code_of_its_gateway(
    driver: Driver, behaviour: Behaviour, sends: list[tuple[str, int, bool]]
) -> None:
    story = Story(driver)
    story.case = replace(story.case, behaviour=behaviour)
    for phone, wait, template in sends:
        verdict = story.send(phone, after=timedelta(seconds=wait), template=template)
        plan = add_random_faults(apply_verdict(SendPlan(), verdict), behaviour, Random(wait))
        assert not (verdict.refusal and verdict.failure)
        assert {verdict.refusal, verdict.failure} - {None} <= set(FAILURES[driver])
        assert {plan.failure} - {None, "stuck"} == {verdict.failure} - {None}
        assert plan.refusal == (
            None if verdict.refusal is None else Refusal(verdict.refusal, verdict.retry_after_seconds)
        )


def test_random_faults_are_independent() -> None:
    found = {
        name: add_random_faults(SendPlan(), Behaviour.model_validate({name: 1.0}), Random(1))
        for name in ("stuck_share", "missing_share", "doubled_share", "late_share", "disordered_share",
                     "lost_answer_share", "slow_share")
    }  # fmt: skip
    assert found["stuck_share"] == SendPlan(failure="stuck")
    assert (found["missing_share"], found["doubled_share"]) == (SendPlan(receipts=0), SendPlan(receipts=2))
    assert (found["late_share"], found["disordered_share"]) == (SendPlan(late_seconds=3600), SendPlan(disordered=True))
    assert found["lost_answer_share"] == SendPlan(answer=Refusal("500"))
    assert found["slow_share"] == SendPlan(after=(Delay(None, 30.0),))
    assert add_random_faults(SendPlan(), Behaviour(), Random(1)) == SendPlan()
