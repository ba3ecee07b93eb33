"""Profile table and overview: every status, bar and card, and the notices about stale data."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.core.api_models import ApiPackage, ApiPackageFigures, ApiProfile
from console.core.last_answer import LastAnswer
from console.core.overview import cards
from console.core.profile_table import LimitBar, TableRow, rows
from console.core.queue import ApiPace, ApiQueue
from console.core.stale_notice import PageData, notices
from spreader.contract.events import Counts, LaneState, ProfileState, Windows

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIMITS = {"per_hour": 50, "per_3_hours": 120, "per_day": 500}


def profile(number: int, paused: bool = False) -> ApiProfile:
    return ApiProfile.model_validate({
        "profile_id": f"p{number}", "package_id": "shop", "name": f"Profile {number}", "phone": "201001234567",
        "gateway": {"driver": "simulator"}, "effective_limits": LIMITS, "paused": paused,
    })  # fmt: skip


def package(paused: bool = False, profiles: int = 1) -> ApiPackage:
    ids = tuple(f"p{number + 1}" for number in range(profiles))
    return ApiPackage(package_id="shop", name="Marketing Campaign", paused=paused, profile_ids=ids)


def state(number: int, hour: int = 0, day: int = 0, **lanes: Any) -> ProfileState:
    def counts(opened: int) -> Counts:
        return Counts(sent=opened + 900, sent_open=opened)

    windows = Windows(hour=counts(hour), three_hours=counts(hour), day=counts(day))
    return ProfileState(profile_id=f"p{number}", package_id="shop", windows=windows, at=NOON, **lanes)


def pace(number: int, hour: int = 0, limit: int = 50, **more: Any) -> ApiPace:
    limits = {"hour limit": {"used": hour, "limit": limit}}
    return ApiPace.model_validate({"profile_id": f"p{number}", "limits": limits, "bound": "gap", **more})


def only(shown: tuple[TableRow, ...]) -> TableRow:
    (row,) = shown
    return row


def test_the_profile_table_of_the_specification() -> None:
    states = {state.profile_id: state for state in (state(1, 45, 320), state(2, 12, 89), state(3, 50, 500), state(4))}
    shown = rows(package(), [profile(number) for number in (1, 2, 3, 4)], states, {})
    assert [f"{row.name}: {row.bars[0].text} | {row.bars[2].text} | {row.status.text}" for row in shown] == [
        "Profile 1: 45/50 hourly | 320/500 daily | ● Active",
        "Profile 2: 12/50 hourly | 89/500 daily | ● Active",
        "Profile 3: 50/50 hourly | 500/500 daily | ○ Limit reached",
        "Profile 4: 0/50 hourly | 0/500 daily | ● Available",
    ]


LIMITED, BLOCKED = LaneState(state="limited"), LaneState(state="blocked", cause="463: no new chats")


@pytest.mark.parametrize(
    ("paused", "states", "paces", "word"),
    [
        ((False, False), None, None, "○ Unknown"),
        ((False, False), None, pace(1, 0), "● Available"),
        ((False, False), state(1), None, "● Available"),
        ((False, False), state(1, day=1), None, "● Active"),
        ((False, False), state(1, hour=49, day=499), None, "● Active"),
        ((False, False), state(1, hour=9), pace(1, 9, bound="rest window"), "○ Resting"),
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
def test_a_status_is_one_word(
    paused: tuple[bool, bool], states: ProfileState | None, paces: ApiPace | None, word: str
) -> None:
    known = {states.profile_id: states} if states else {}
    shown = rows(package(paused[0]), [profile(1, paused[1])], known, {paces.profile_id: paces} if paces else {})
    assert only(shown).status.text == word


def test_counts_of_the_pacer_replace_those_of_the_stats() -> None:
    row = only(rows(package(), [profile(1)], {"p1": state(1, 45, 320)}, {"p1": pace(1, 7, 25)}))
    assert [bar.text for bar in row.bars] == ["7/25 hourly", "45/120 in 3 h", "320/500 daily"]


def test_a_row_says_what_the_next_release_waits_for() -> None:
    waiting = pace(1, next_release=NOON, why="The gap is not over.", held=3)
    row = only(rows(package(), [profile(1)], {}, {"p1": waiting}))
    assert (row.waits_for, row.why, row.held) == ("time between messages", "The gap is not over.", 3)
    assert only(rows(package(), [profile(1)], {}, {"p1": pace(1, stopped="paused")})).waits_for == "paused"
    assert only(rows(package(), [profile(1)], {}, {})).waits_for == "not known"


def test_a_closed_reply_lane_is_shown_beside_the_open_one() -> None:
    row = only(rows(package(), [profile(1)], {"p1": state(1, reply=BLOCKED)}, {}))
    assert row.reply is not None
    assert (row.reply.text, row.reply.why) == ("○ Replies blocked", "463: no new chats.")


@pytest.mark.parametrize(
    ("bar", "text", "share", "is_full"),
    [
        (LimitBar("hourly", 0, 20), "0/20 hourly", 0.0, False),
        (LimitBar("hourly", 5, 20), "5/20 hourly", 0.25, False),
        (LimitBar("hourly", 20, 20), "20/20 hourly", 1.0, True),
        (LimitBar("hourly", 30, 20), "30/20 hourly", 1.0, True),
        (LimitBar("hourly", None, 20), "–/20 hourly", 0.0, False),
        (LimitBar("contacts", 7, None), "7/no limit contacts", 0.0, False),
    ],
)
def test_a_bar(bar: LimitBar, text: str, share: float, is_full: bool) -> None:
    assert (bar.text, bar.share, bar.is_full) == (text, share, is_full)


def test_a_package_as_a_card() -> None:
    counts = {"ok": 1, "blocked": 1}
    figures = ApiPackageFigures(package_id="shop", profiles=counts, hour={"sent_open": 10}, day={"sent_open": 20})
    (card,) = cards([package(profiles=2)], {"shop": figures}, {})
    assert [bar.text for bar in card.bars] == ["10/40 hourly", "20/240 daily"]
    assert (card.status.text, card.held, card.alerts) == ("○ 1 of 2 blocked", None, 0)
    queue = ApiQueue.model_validate({
        "package_id": "shop", "at": NOON, "held": 7, "rush_over": 10, "profiles_in_rush": 1,
        "at_gateway": {"now": 0, "max": 10}, "profiles": [pace(1, 3).model_dump(), pace(2, 4).model_dump()],
    })  # fmt: skip
    (card,) = cards([package(profiles=2)], {}, {"shop": queue})
    assert (card.bars[0].text, card.held, card.rush, card.alerts) == ("7/100 hourly", 7, 1, None)


def page_data(answer: LastAnswer[Any]) -> PageData:
    return PageData("Statistics", "figures", answer)


@pytest.mark.parametrize(
    ("answer", "later", "sentences"),
    [
        (LastAnswer(None), 60, ()),  # the first request is still running
        (LastAnswer(1, NOON), 5, ()),
        (LastAnswer(1, NOON, "it cannot be reached"), 5, ()),  # one failed request does not make the data stale
        (LastAnswer(1, NOON), 12, ("Statistics unavailable. The figures are 12 s old; sending continues.",)),
        (LastAnswer(1, NOON, "it answered 503"), 90,
         ("Statistics unavailable. The figures are 1 min 30 s old; sending continues.",)),
        (LastAnswer(None).failed("it cannot be reached"), 0,
         ("Statistics unavailable. The figures cannot be shown yet; sending continues.",)),
        (LastAnswer(1, NOON).failed("there is no such package.", True), 0,
         ("There is no such package.",)),
    ],
)  # fmt: skip
def test_stale_or_missing_data_has_a_notice(answer: LastAnswer[Any], later: int, sentences: tuple[str, ...]) -> None:
    assert notices([page_data(answer)], NOON + timedelta(seconds=later)) == sentences
