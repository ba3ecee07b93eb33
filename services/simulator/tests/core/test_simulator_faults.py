"""Which sends a fault hits, and how it changes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.failures import OWN_FAILURES
from simulator.core.faults import ActiveFault, Delay, Die, Fault, FaultTarget, Hang, Refusal, SendPlan, apply_faults

SEND = FaultTarget(profile="prf_1", account="acc_1", recipient="201001234567")


@pytest.mark.parametrize(
    ("fault", "plan"),
    [
        (Fault("f", "fail"), SendPlan(refusal=Refusal("transient"))),
        (Fault("f", "fail", code="recipient_invalid"), SendPlan(refusal=Refusal("recipient_invalid"))),
        (Fault("f", "fail", code="throttled", seconds=7), SendPlan(refusal=Refusal("throttled", 7))),
        (Fault("f", "fail", at="after"), SendPlan(answer=Refusal("transient"))),
        (Fault("f", "fail_after_sending", code="profile_blocked"), SendPlan(answer=Refusal("profile_blocked"))),
        (Fault("f", "delay", seconds=2), SendPlan(before=(Delay("f", 2),))),
        (Fault("f", "delay", seconds=2, at="after"), SendPlan(after=(Delay("f", 2),))),
        (Fault("f", "hang", seconds=9), SendPlan(before=(Hang("f", 9),))),
        (Fault("f", "hang", seconds=9, at="after"), SendPlan(after=(Hang("f", 9),))),
        (Fault("f", "die"), SendPlan(before=(Die(),))),
        (Fault("f", "die", at="after"), SendPlan(after=(Die(),))),
        (Fault("f", "no_receipts"), SendPlan(receipts=0)),
        (Fault("f", "double_receipts"), SendPlan(receipts=2)),
    ],
)
def test_each_kind_of_fault_has_its_effect(fault: Fault, plan: SendPlan) -> None:
    _, found = apply_faults((ActiveFault(fault),), SEND)
    assert (found.before, found.refusal, found.after, found.answer, found.receipts) == (
        plan.before,
        plan.refusal,
        plan.after,
        plan.answer,
        plan.receipts,
    )
    assert found.hits == (fault.kind,)


@pytest.mark.parametrize(
    ("profile", "recipient", "hits"),
    [
        (None, None, True),
        ("prf_1", None, True),
        ("acc_1", None, True),
        ("prf_2", None, False),
        (None, "201001234567", True),
        (None, "201001234568", False),
        ("prf_1", "201001234567", True),
        ("prf_1", "201001234568", False),
        ("prf_2", "201001234567", False),
    ],
)
def test_a_fault_hits_only_matching_sends(profile: str | None, recipient: str | None, hits: bool) -> None:
    (active,), plan = apply_faults((ActiveFault(Fault("f", "fail", profile=profile, recipient=recipient)),), SEND)
    assert plan == (SendPlan(refusal=Refusal("transient"), hits=("fail",)) if hits else SendPlan())
    assert (active.seen, active.hits) == (int(hits), int(hits))


@pytest.mark.parametrize(
    ("count", "every", "story"),
    [
        (None, 1, "xxxxxxx"),
        (2, 1, "xx....."),
        (None, 3, "..x..x."),
        (1, 3, "..x...."),
        (2, 2, ".x.x..."),
    ],
)
def test_count_and_every_choose_among_the_sends(count: int | None, every: int, story: str) -> None:
    faults: tuple[ActiveFault, ...] = (ActiveFault(Fault("f", "fail", count=count, every=every)),)
    found = ""
    for _ in story:
        faults, plan = apply_faults(faults, SEND)
        found += "x" if plan.refusal else "."
    assert found == story


@given(
    count=st.none() | st.integers(1, 4),
    every=st.integers(1, 4),
    sends=st.lists(st.sampled_from(["prf_1", "prf_2"]), max_size=25),
)
def test_hits_are_every_nth_match_up_to_the_count(count: int | None, every: int, sends: list[str]) -> None:
    faults: tuple[ActiveFault, ...] = (ActiveFault(Fault("f", "die", profile="prf_1", count=count, every=every)),)
    hits = 0
    for profile in sends:
        faults, plan = apply_faults(faults, FaultTarget(profile, "acc", "2010"))
        hits += len(plan.hits)
    possible = sends.count("prf_1") // every
    assert hits == faults[0].hits == (possible if count is None else min(count, possible))


def test_faults_add_up_and_the_first_refusal_is_answered() -> None:
    faults = tuple(
        ActiveFault(fault)
        for fault in (
            Fault("1", "delay", seconds=1),
            Fault("2", "fail", code="throttled", seconds=5),
            Fault("3", "fail", code="content_refused"),
            Fault("4", "double_receipts"),
            Fault("5", "hang", seconds=6, at="after"),
        )
    )
    _, plan = apply_faults(faults, SEND)
    assert plan == SendPlan(
        before=(Delay("1", 1),),
        refusal=Refusal("throttled", 5),
        after=(Hang("5", 6),),
        receipts=2,
        hits=("delay", "fail", "fail", "double_receipts", "hang"),
    )


def test_each_code_has_the_status_that_drivers_know() -> None:
    assert {code: failure.status for code, failure in OWN_FAILURES.items()} == {
        "transient": 500,
        "throttled": 429,
        "profile_blocked": 403,
        "recipient_invalid": 404,
        "content_refused": 400,
    }
