"""Pairs: the room that a rush used returns two releases at a time, so that the rush does not repeat a day later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pacer.core.explanations import explain_bound
from pacer.core.hours import Hours
from pacer.core.limits import DAY
from pacer.core.policy import Facts, HeldDelivery, Margins, Pair, Rules, Wait, decide
from pacer.core.schedule import IMMEDIATE, ORDINARY
from pacer.core.simulation import SimulatedProfile, Simulation
from pacer.testing import START, Pacer, assigned, members, package
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap, ProfileLimits, RestWindow

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DELIVERY = HeldDelivery("dlv_1", ORDINARY, NOON - HOUR)
SLACK = timedelta(seconds=0.08 * 720 / 2)
"""The slack of a base gap of 720 s (no rest) at position 0.5."""
SLOW, USUAL = 11, 12
"""Releases in three hours, of 15 that the daily limit allows: a load of 11.5/15.5 is under 0.8, 12.5/15.5 is not."""
LONGEST = timedelta(seconds=2 * 720 * 1.4)
"""The longest gap of a rush: twice the base, and the spread."""
ONE, TWO = NOON + HOUR, NOON + HOUR + LONGEST


def rules(gap: Gap | None = None, limits: ProfileLimits | None = None) -> Rules:
    return Rules(limits or ProfileLimits(), Hours(None, "UTC"), gap or Gap(), 0.4, Margins(MINUTE, MINUTE), 10)


def known(pair: Pair, waiting: int = 1, room: datetime | None = ONE) -> Facts:
    free = {} if room is None else {Bound.DAY_LIMIT: room}
    return Facts(NOON - HOUR, free, sent_last_2_hours=0, waiting=waiting, position=0.5, at_gateway=0, pair=pair)


@pytest.mark.parametrize(
    ("places", "waiting", Bound.GAP, "bound"),
    [
        (SLOW, 1, Gap(), Bound.DAY_IN_PAIRS),
        (SLOW, 9, Gap(), Bound.DAY_IN_PAIRS),
        (SLOW, 10, Gap(), Bound.DAY_LIMIT),
        (USUAL, 1, Gap(), Bound.DAY_LIMIT),
        (USUAL, 1, Gap(pairs_under=0.85), Bound.DAY_IN_PAIRS),
        (0, 1, Gap(pairs_under=0), Bound.DAY_LIMIT),
    ],
)
def test_a_short_queue_goes_in_pairs_when_room_returns_slowly(
    places: int, waiting: int, gap: Gap, bound: Bound
) -> None:
    decision = decide(rules(gap), known(Pair(ONE, TWO, places), waiting), DELIVERY, NOON)
    assert isinstance(decision, Wait)
    assert (decision.bound, decision.until) == (bound, (TWO if bound == Bound.DAY_IN_PAIRS else ONE) + SLACK)


def test_no_pair_when_the_second_place_is_far_off() -> None:
    decision = decide(rules(), known(Pair(ONE, TWO + timedelta(seconds=1), SLOW)), DELIVERY, NOON)
    assert isinstance(decision, Wait)
    assert (decision.bound, decision.until) == (Bound.DAY_LIMIT, ONE + SLACK)


@pytest.mark.parametrize(("seconds", "bound"), [(1, Bound.DAY_IN_PAIRS), (0, Bound.DAY_LIMIT)])
def test_no_pair_across_a_rest(seconds: int, bound: Bound) -> None:
    """The last release is made more than a minute before a rest: the second place, and its slack, lie just before that
    minute, or in it."""
    two, slack = ONE + 20 * MINUTE, timedelta(seconds=0.08 * 600 / 2)
    rest = RestWindow(start=(two + slack + MINUTE + timedelta(seconds=seconds)).time(), hours=4)
    decision = decide(replace(rules(), hours=Hours(rest, "UTC")), known(Pair(ONE, two, SLOW)), DELIVERY, NOON)
    assert isinstance(decision, Wait)
    assert (decision.bound, decision.until) == (bound, (two if bound == Bound.DAY_IN_PAIRS else ONE) + slack)


@pytest.mark.parametrize(("per_day", "bound"), [(39, Bound.DAY_LIMIT), (40, Bound.DAY_IN_PAIRS)])
def test_no_pair_when_few_releases_are_expected(per_day: int, bound: Bound) -> None:
    few = rules(limits=ProfileLimits(per_day=per_day))
    decision = decide(few, known(Pair(ONE, TWO, 0)), DELIVERY, NOON)
    assert isinstance(decision, Wait)
    assert decision.bound == bound


def test_a_pair_waits_for_its_second_place_even_when_the_first_is_free() -> None:
    """The decision is the same at any time of a look."""
    passed_by = known(Pair(NOON, NOON + LONGEST, SLOW), room=None)
    moments = [_until(passed_by, NOON + share * LONGEST) for share in (0, 0.5, 0.99)]
    assert moments == [NOON + LONGEST + SLACK] * 3


def test_an_immediate_delivery_takes_the_first_place() -> None:
    decision = decide(rules(), known(Pair(ONE, TWO, SLOW)), HeldDelivery("quick", IMMEDIATE, NOON), NOON)
    assert isinstance(decision, Wait)
    assert (decision.bound, decision.until) == (Bound.DAY_LIMIT, ONE)


def _until(facts: Facts, now: datetime) -> datetime | None:
    decision = decide(rules(), facts, DELIVERY, now)
    assert isinstance(decision, Wait)
    return decision.until


def test_pairs_do_not_repeat_the_rhythm_of_a_rush_a_day_later() -> None:
    one_by_one, in_pairs = _day_after(pairs_under=0), _day_after(pairs_under=0.8)
    assert all(900 < gap < 1_100 for gap in one_by_one[1:])
    assert all(gap > 1_500 for gap in in_pairs[0::2])
    assert all(gap < 600 for gap in in_pairs[1::2])
    assert len(in_pairs) == pytest.approx(len(one_by_one), abs=1)  # it costs a wait, and no place


def _day_after(pairs_under: float) -> list[float]:
    """The gaps, in seconds, of five hours in which five wait: for places of a day that began at a release in 1,000 s
    and went on until it was full."""
    begin = NOON - DAY + timedelta(seconds=600)
    slow = [begin + timedelta(seconds=1_000 * place) for place in range(30)]
    quick = [NOON - timedelta(seconds=300 * place) for place in range(90)]
    profile = SimulatedProfile("one", rules(Gap(pairs_under=pairs_under)), sorted(slow + quick))
    profile.queue.add(_deliveries(5))
    simulation = Simulation("shop", [profile], NOON)
    simulation.wake()
    for _ in simulation.run(NOON + 5 * HOUR):
        profile.queue.add(_deliveries(1))
    moments = profile.releases
    assert all(later - earlier >= DAY for earlier, later in zip(moments, moments[120:], strict=False))
    return [(later - earlier).total_seconds() for earlier, later in pairwise(moments[119:])]


def _deliveries(many: int) -> list[HeldDelivery]:
    return [HeldDelivery("d", ORDINARY, NOON) for _ in range(many)]


async def test_the_explanation_of_a_delivery_and_of_its_queue_name_the_pairs(pacer: Pacer) -> None:
    limits, gap = ProfileLimits(per_hour=10, per_3_hours=30, per_day=40), Gap(min_seconds=600, max_seconds=601)
    configured = package(limits=limits).model_copy(update={Bound.GAP: gap.model_copy(update={"rush_over": 100})})
    pacer.config.configure(configured)
    await pacer.hold(assigned(42))
    for minutes in (0, *range(15, 327, 8)):
        pacer.now = START + minutes * MINUTE
        (released,) = await pacer.release()
        await pacer.report("sent", released)
    explanation = members(await pacer.explainer.delivery(assigned(42).deliveries[40].delivery_id))
    assert explanation["bound"] == Bound.DAY_IN_PAIRS
    assert explanation["bounds"].keys() >= {Bound.DAY_LIMIT, Bound.DAY_IN_PAIRS}
    assert explanation["why"] == explain_bound(Bound.DAY_IN_PAIRS, rules())
    queue = members(await pacer.explainer.queue("one"))
    (profile,) = queue["profiles"]
    assert (profile["bound"], profile["next_release"]) == (Bound.DAY_IN_PAIRS, explanation["next_release"])
    assert timedelta(0) <= explanation["next_release"] - (START + DAY + 15 * MINUTE) <= timedelta(seconds=0.08 * 601)
    pacer.now = explanation["next_release"]
    (released,) = await pacer.release()
    await pacer.report("sent", released)
    pacer.now += 6 * MINUTE  # after its gap, and before the third place is free
    assert len(await pacer.release()) == 1
