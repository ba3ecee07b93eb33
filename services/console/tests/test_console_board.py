"""Board: the plan's live table, and every word that a state can be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.core.api_models import Package, Profile
from console.core.last_answer import Reading
from console.core.overview import cards
from console.core.profile_table import Bar, Row, rows
from console.core.queue import Pace, Queue
from console.core.stale_notice import Part, notices
from spreader.contract.events import Counts, LaneState, ProfileState, Windows

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIMITS = {"per_hour": 50, "per_3_hours": 120, "per_day": 500}


def profile(number: int, paused: bool = False) -> Profile:
    return Profile.model_validate({
        "profile_id": f"p{number}", "package_id": "shop", "name": f"Profile {number}", "phone": "201001234567",
        "gateway": {"driver": "simulator"}, "effective_limits": LIMITS, "paused": paused,
    })  # fmt: skip


def package(paused: bool = False, profiles: int = 1) -> Package:
    ids = tuple(f"p{number + 1}" for number in range(profiles))
    return Package(package_id="shop", name="Marketing Campaign", paused=paused, profile_ids=ids)


def state(number: int, hour: int = 0, day: int = 0, **lanes: Any) -> ProfileState:
    def counts(opened: int) -> Counts:
        return Counts(sent=opened + 900, sent_open=opened)

    windows = Windows(hour=counts(hour), three_hours=counts(hour), day=counts(day))
    return ProfileState(profile_id=f"p{number}", package_id="shop", windows=windows, at=NOON, **lanes)


def pace(number: int, hour: int = 0, limit: int = 50, **more: Any) -> Pace:
    limits = {"hour limit": {"used": hour, "limit": limit}}
    return Pace.model_validate({"profile_id": f"p{number}", "limits": limits, "bound": "gap", **more})


def only(shown: tuple[Row, ...]) -> Row:
    (row,) = shown
    return row


def test_the_plans_table() -> None:
    fares = {each.profile_id: each for each in (state(1, 45, 320), state(2, 12, 89), state(3, 50, 500), state(4))}
    shown = rows(package(), [profile(number) for number in (1, 2, 3, 4)], fares, {})
    assert [f"{row.name}: {row.bars[0].text} | {row.bars[2].text} | {row.status.text}" for row in shown] == [
        "Profile 1: 45/50 hourly | 320/500 daily | ● Active",
        "Profile 2: 12/50 hourly | 89/500 daily | ● Active",
        "Profile 3: 50/50 hourly | 500/500 daily | ○ Limit reached",
        "Profile 4: 0/50 hourly | 0/500 daily | ● Available",
    ]


LIMITED, BLOCKED = LaneState(state="limited"), LaneState(state="blocked", cause="463: no new chats")


@pytest.mark.parametrize(
    ("paused", "fares", "paces", "word"),
    [
        ((False, False), None, None, "○ Unknown"),
        ((False, False), None, pace(1, 0), "● Available"),
        ((False, False), state(1), None, "● Available"),
        ((False, False), state(1, day=1), None, "● Active"),
        ((False, False), state(1, hour=49, day=499), None, "● Active"),
        ((False, False), state(1, hour=50, day=50), None, "○ Limit reached"),
        ((False, False), state(1, hour=0, day=500), None, "○ Limit reached"),
        ((False, False), state(1, hour=10), pace(1, 10, 10), "○ Limit reached"),
        ((False, False), state(1, day=1, open=LIMITED), None, "○ Limited"),
        ((False, False), state(1, hour=50, open=BLOCKED), None, "○ Blocked"),
        ((False, True), state(1, open=BLOCKED), None, "○ Paused"),
        ((False, True), None, None, "○ Paused"),
        ((True, True), state(1, day=1), None, "○ Package paused"),
    ],
)
def test_the_state_in_one_word(
    paused: tuple[bool, bool], fares: ProfileState | None, paces: Pace | None, word: str
) -> None:
    known = {fares.profile_id: fares} if fares else {}
    shown = rows(package(paused[0]), [profile(1, paused[1])], known, {paces.profile_id: paces} if paces else {})
    assert only(shown).status.text == word


def test_the_pacers_own_counts_and_limits_go_before_those_of_the_stats() -> None:
    row = only(rows(package(), [profile(1)], {"p1": state(1, 45, 320)}, {"p1": pace(1, 7, 25)}))
    assert [bar.text for bar in row.bars] == ["7/25 hourly", "45/120 in 3 h", "320/500 daily"]


def test_what_a_release_waits_for_is_said_in_words() -> None:
    waiting = pace(1, next_release=NOON, why="The gap is not over.", held=3)
    row = only(rows(package(), [profile(1)], {}, {"p1": waiting}))
    assert (row.waits_for, row.why, row.held) == ("its gap", "The gap is not over.", 3)
    assert only(rows(package(), [profile(1)], {}, {"p1": pace(1, stopped="paused")})).waits_for == "paused"
    assert only(rows(package(), [profile(1)], {}, {})).waits_for == "not known"


def test_a_closed_reply_lane_is_shown_beside_the_open_one() -> None:
    row = only(rows(package(), [profile(1)], {"p1": state(1, reply=BLOCKED)}, {}))
    assert row.reply is not None
    assert (row.reply.text, row.reply.why) == ("○ Replies blocked", "463: no new chats")


@pytest.mark.parametrize(
    ("bar", "text", "share", "is_full"),
    [
        (Bar("hourly", 0, 20), "0/20 hourly", 0.0, False),
        (Bar("hourly", 5, 20), "5/20 hourly", 0.25, False),
        (Bar("hourly", 20, 20), "20/20 hourly", 1.0, True),
        (Bar("hourly", 30, 20), "30/20 hourly", 1.0, True),
        (Bar("hourly", None, 20), "–/20 hourly", 0.0, False),
        (Bar("contacts", 7, None), "7/no limit contacts", 0.0, False),
    ],
)
def test_a_bar(bar: Bar, text: str, share: float, is_full: bool) -> None:
    assert (bar.text, bar.share, bar.is_full) == (text, share, is_full)


def test_a_package_as_a_card() -> None:
    fares = {"p1": state(1, 4, 9, open=BLOCKED), "p2": state(2, 6, 11)}
    (card,) = cards([package(profiles=2)], fares, {}, [])
    assert [bar.text for bar in card.bars] == ["10/40 hourly", "20/240 daily"]
    assert (card.status.text, card.held, card.alerts) == ("○ 1 of 2 blocked", None, 0)
    queue = Queue.model_validate({
        "package_id": "shop", "at": NOON, "held": 7, "rush_over": 10, "profiles_in_rush": 1,
        "at_gateway": {"now": 0, "max": 10}, "profiles": [pace(1, 3).model_dump(), pace(2, 4).model_dump()],
    })  # fmt: skip
    (card,) = cards([package(profiles=2)], fares, {"shop": queue}, None)
    assert (card.bars[0].text, card.held, card.rush, card.alerts) == ("7/100 hourly", 7, 1, None)


def part(reading: Reading[Any]) -> Part:
    return Part("The stats give", "figures", reading)


@pytest.mark.parametrize(
    ("reading", "later", "said"),
    [
        (Reading(None), 60, ()),  # asked for the first time
        (Reading(1, NOON), 5, ()),
        (Reading(1, NOON, "it cannot be reached"), 5, ()),  # one answer that was missed makes nothing old
        (Reading(1, NOON), 12, ("The stats give no answer (nothing heard): the figures below are 12 s old.",)),
        (Reading(1, NOON, "it answered 503"), 90,
         ("The stats give no answer (it answered 503): the figures below are 1 min 30 s old.",)),
        (Reading(None).missed("it cannot be reached"), 0,
         ("The stats give no answer (it cannot be reached): no figures yet.",)),
        (Reading(1, NOON).missed("there is no such package.", True), 0,
         ("The stats give a refusal: there is no such package.",)),
    ],
)  # fmt: skip
def test_an_answer_that_is_missing_is_said_to_be_missing(
    reading: Reading[Any], later: int, said: tuple[str, ...]
) -> None:
    assert notices([part(reading)], NOON + timedelta(seconds=later)) == said
