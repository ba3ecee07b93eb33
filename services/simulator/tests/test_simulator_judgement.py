"""What WhatsApp makes of sends, told as stories: who is cold, what is capped, who is banned, what Meta limits."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.behaviour import Behaviour
from simulator.core.failures import FAILURES, Driver
from simulator.core.faults import Delay, Plan, Refusal
from simulator.core.judgement import Case, Message, Verdict, exists, judge, quality
from simulator.core.mishaps import afflicted, ruled
from simulator.core.reports import (
    Counted,
    Disabled,
    Rated,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)
from simulator.core.standing import Standing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BEN, CARL = "201000000001", "201000000002", "201000000003"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Story:
    """One account and what happens to it, one thing after the other."""

    def __init__(self, driver: Driver, **behaviour: Any) -> None:
        self.case = Case(driver, Behaviour(**behaviour), Standing(NOON), Message("", "", False), NOON, Random(1))

    def send(self, phone: str, after: timedelta = timedelta(0), content: str = "", template: bool = False) -> Verdict:
        message = Message(phone, content or phone, template)
        case = replace(self.case, message=message, now=self.case.now + after)
        self.case, verdict = judge(case)
        return verdict

    def hear(self, phone: str) -> None:
        self.case = self.case.standing_as(self.case.standing.heard(phone, self.case.now))

    def happen(self, report: Report) -> None:
        self.case = self.case.standing_as(self.case.standing.after(report))

    def said(self, phones: Sequence[str], **more: Any) -> list[str | None]:
        """The codes of sends to each."""
        verdicts = [self.send(phone, **more) for phone in phones]
        return [verdict.refusal or verdict.failure for verdict in verdicts]


@pytest.mark.parametrize("driver", ["cloud_api", "waha", "evolution"])
def test_a_plain_account_takes_everything_and_remembers_nobody(driver: Driver) -> None:
    story = Story(driver)
    assert story.said([ANNA, BEN] * 50) == [None] * 100
    assert story.case.standing == Standing(NOON)


def test_an_account_that_opens_no_chats_still_reaches_who_knows_it() -> None:
    story = Story("waha", opens_chats=False, known=(BEN,))
    story.hear(CARL)
    assert story.said([ANNA, BEN, CARL]) == ["463", None, None]
    assert story.send(CARL, after=28 * DAY).failure == "463"


def test_the_quota_ends_in_463_with_warnings_on_the_way_and_an_answer_gives_one_back() -> None:
    story = Story("evolution", quota={"total": 10})
    people = [f"2010000001{number:02}" for number in range(12)]
    reports = [story.send(person).reports for person in people[:10]]
    warnings = [found.warning for each in reports for found in each if isinstance(found, Counted)]
    assert warnings == ["FIRST_WARNING", "SECOND_WARNING", "CAPPED"]
    assert story.send(people[0]).failure is None
    verdict = story.send(people[10])
    assert (verdict.failure, verdict.reports) == ("463", (TimeLocked(NOON + timedelta(seconds=60)),))
    story.hear(people[3])
    assert story.send(people[3]).failure is None
    assert story.send(people[10], after=timedelta(seconds=61)).failure is None
    assert story.send(people[11]).failure == "463"


def test_whoever_tries_on_while_locked_is_locked_for_longer() -> None:
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
def test_too_much_of_it_is_a_ban_for_some_hours(
    rule: dict[str, int], sends: list[tuple[str, str]], code: int | None
) -> None:
    story = Story("waha", bans={**rule, "hours": 2})
    reports = [report for phone, content in sends for report in story.send(phone, content=content).reports]
    assert reports == ([] if code is None else [TemporarilyBanned(code, NOON + 2 * HOUR)])
    assert story.said([ANNA]) == ["422" if code else None]
    after = story.send(ANNA, after=2 * HOUR)
    assert (after.refusal, after.reports) == (None, ())


def test_who_is_blocked_by_many_is_banned_and_no_longer_reaches_them() -> None:
    story = Story("waha", block_chance=1.0, bans={"blocks": 2})
    first = story.send(ANNA)
    assert (first.reached, first.reports) == (True, ())
    assert not story.send(ANNA).reached
    assert story.send(BEN).reports == (TemporarilyBanned(102, NOON + DAY),)


@pytest.mark.parametrize(("driver", "code"), [("waha", "422"), ("evolution", "closed")])
def test_a_session_that_does_not_work_sends_nothing(driver: Driver, code: str) -> None:
    story = Story(driver)
    steps: list[tuple[SessionStatus, str | None]] = [
        ("unlinked", code), ("working", None), ("stopped", code), ("working", None),
    ]  # fmt: skip
    for status, said in steps:
        story.happen(SessionChanged(status))
        assert story.said([ANNA]) == [said]
    story.happen(Disabled())
    assert story.said([ANNA]) == [code]


def test_a_lock_that_a_tester_makes_holds_for_strangers_alone() -> None:
    story = Story("waha", known=(BEN,))
    story.happen(TimeLocked(NOON + HOUR))
    assert story.said([ANNA, BEN]) == ["463", None]
    story.happen(TimeLocked(None))
    assert story.said([ANNA, BEN]) == [None, None]


def test_a_number_that_is_not_on_whatsapp_is_the_same_for_all_who_ask() -> None:
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
    story.hear(ANNA)
    assert story.said([ANNA]) == [None]
    assert story.said([ANNA], after=DAY) == ["131047"]


@pytest.mark.parametrize(
    ("told", "verdict"), [("answer", Verdict(refusal="131056")), ("receipt", Verdict(failure="131056"))]
)
def test_a_pair_is_limited_and_others_are_not(told: str, verdict: Verdict) -> None:
    story = Story("cloud_api", pair_limit=True, limits_told=told)
    assert story.said([ANNA] * 45) == [None] * 45
    assert story.send(ANNA) == verdict
    assert story.said([BEN]) == [None]
    assert story.send(ANNA, after=timedelta(seconds=6)) == Verdict()


def test_a_number_has_a_throughput() -> None:
    story = Story("cloud_api", throughput_per_second=2)
    assert story.said([ANNA, BEN, CARL]) == [None, None, "130429"]
    assert story.send(CARL, after=timedelta(seconds=0.5)) == Verdict()


def test_a_portfolio_reaches_so_many_new_people_a_day() -> None:
    story = Story("cloud_api", daily_users=2)
    story.hear(CARL)
    assert story.said([ANNA, BEN, ANNA, CARL, "201000000004"]) == [None, None, None, None, "131048"]
    assert story.said(["201000000004"], after=DAY) == [None]


def test_meta_keeps_some_templates_from_some_people() -> None:
    story = Story("cloud_api", marketing_cap_share=0.5)
    found = story.said([f"2010000{number:05}" for number in range(200)], template=True)
    assert 70 < found.count("131049") < 130
    assert found.count("131049") + found.count(None) == 200
    assert story.said([ANNA] * 20) == [None] * 20


def test_a_number_turns_yellow_and_then_red_and_red_closes_new_chats() -> None:
    story = Story("cloud_api", block_chance=1.0, quality={"yellow": 1, "red": 2, "restricted_hours": 3})
    story.hear(CARL)
    ratings = [quality(story.case.behaviour, story.case.standing, NOON)]
    reports: list[Report] = []
    for phone in (ANNA, BEN):
        reports += story.send(phone).reports
        ratings.append(quality(story.case.behaviour, story.case.standing, NOON))
    assert ratings == ["GREEN", "YELLOW", "RED"]
    assert reports == [TimeLocked(NOON + 3 * HOUR)]
    assert story.said(["201000000009", CARL]) == ["131048", None]
    assert story.said(["201000000009"], after=3 * HOUR) == [None]


def test_a_silenced_or_disabled_business_cannot_even_answer() -> None:
    story = Story("cloud_api")
    story.hear(ANNA)
    story.happen(Silenced(NOON + HOUR))
    assert story.said([ANNA]) == ["131031"]
    assert story.said([ANNA], after=HOUR) == [None]
    story.happen(Disabled())
    assert story.said([ANNA]) == ["131031"]
    story.happen(Disabled(reinstated=True))
    story.happen(Rated("RED"))
    assert story.said([ANNA]) == [None]
    assert quality(story.case.behaviour, story.case.standing, NOON) == "RED"


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
def test_whatever_happens_a_send_has_one_fate_in_its_gateways_own_codes(
    driver: Driver, behaviour: Behaviour, sends: list[tuple[str, int, bool]]
) -> None:
    story = Story(driver)
    story.case = replace(story.case, behaviour=behaviour)
    for phone, wait, template in sends:
        verdict = story.send(phone, after=timedelta(seconds=wait), template=template)
        plan = afflicted(ruled(Plan(), verdict), behaviour, Random(wait))
        assert not (verdict.refusal and verdict.failure)
        assert {verdict.refusal, verdict.failure} - {None} <= set(FAILURES[driver])
        assert {plan.failure} - {None, "stuck"} == {verdict.failure} - {None}
        assert plan.refusal == (
            None if verdict.refusal is None else Refusal(verdict.refusal, verdict.retry_after_seconds)
        )


def test_each_mishap_is_its_own() -> None:
    found = {
        name: afflicted(Plan(), Behaviour.model_validate({name: 1.0}), Random(1))
        for name in ("stuck_share", "missing_share", "doubled_share", "late_share", "disordered_share",
                     "lost_answer_share", "slow_share")
    }  # fmt: skip
    assert found["stuck_share"] == Plan(failure="stuck")
    assert (found["missing_share"], found["doubled_share"]) == (Plan(receipts=0), Plan(receipts=2))
    assert (found["late_share"], found["disordered_share"]) == (Plan(late_seconds=3600), Plan(disordered=True))
    assert found["lost_answer_share"] == Plan(answer=Refusal("500"))
    assert found["slow_share"] == Plan(after=(Delay(None, 30.0),))
    assert afflicted(Plan(), Behaviour(), Random(1)) == Plan()
