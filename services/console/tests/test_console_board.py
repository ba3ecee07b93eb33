"""Board: the plan's live table, and every word that a status can be."""

from datetime import UTC, datetime, timedelta

import pytest

from console.core.board import Bar, Packages, States, board
from console.core.reading import Reading
from spreader.configuration import Gateway, Package, Profile, ProfileLimits
from spreader.events import Counts, LaneState, ProfileState, Windows

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GATEWAY = Gateway(driver="simulator", base_url="http://gateway", account="account")
LIMITS = ProfileLimits(per_hour=50, per_3_hours=120, per_day=500)


def profile(number: int, paused: bool = False) -> Profile:
    who = {"profile_id": f"p{number}", "name": f"Profile {number}", "phone": "201001234567"}
    return Profile.model_validate({**who, "gateway": GATEWAY, "limits": LIMITS, "paused": paused})


def package(*profiles: Profile, paused: bool = False) -> Package:
    return Package(package_id="shop", version=1, name="Marketing Campaign", profiles=profiles, paused=paused)


def state(number: int, hour: int = 0, day: int = 0, lane: LaneState = LaneState(), replies: int = 0) -> ProfileState:  # noqa: B008
    def counts(opened: int) -> Counts:
        return Counts(sent=opened + replies, sent_open=opened)

    windows = Windows(hour=counts(hour), three_hours=counts(hour), day=counts(day))
    return ProfileState(profile_id=f"p{number}", package_id="shop", windows=windows, open=lane, at=NOON)


def packages(*known: Package) -> Packages:
    return Reading(known, NOON)


def states(*known: ProfileState) -> States:
    return Reading({each.profile_id: each for each in known}, NOON)


def test_the_plans_table() -> None:
    four = package(*(profile(number) for number in (1, 2, 3, 4)))
    fares = states(state(1, 45, 320), state(2, 12, 89), state(3, 50, 500), state(4))
    shown = board(packages(four), fares, NOON)
    lines = [
        f"{row.name}: {row.bars[0].text} | {row.bars[2].text} | {row.status.text}"
        for section in shown.sections
        for row in section.rows
    ]
    assert lines == [
        "Profile 1: 45/50 hourly | 320/500 daily | ● Active",
        "Profile 2: 12/50 hourly | 89/500 daily | ● Active",
        "Profile 3: 50/50 hourly | 500/500 daily | ○ Limit reached",
        "Profile 4: 0/50 hourly | 0/500 daily | ● Available",
    ]
    assert (shown.notices, shown.figures_are_old, shown.is_empty) == ((), False, False)


@pytest.mark.parametrize(
    ("configured", "fares", "word"),
    [
        (package(profile(1)), None, "○ Unknown"),
        (package(profile(1)), state(1), "● Available"),
        (package(profile(1)), state(1, replies=3), "● Active"),
        (package(profile(1)), state(1, replies=900), "● Active"),
        (package(profile(1)), state(1, day=1), "● Active"),
        (package(profile(1)), state(1, hour=49, day=499), "● Active"),
        (package(profile(1)), state(1, hour=50, day=50), "○ Limit reached"),
        (package(profile(1)), state(1, hour=51, day=51), "○ Limit reached"),
        (package(profile(1)), state(1, hour=0, day=500), "○ Limit reached"),
        (package(profile(1)), state(1, day=1, lane=LaneState(state="limited")), "○ Limited"),
        (package(profile(1)), state(1, hour=50, day=50, lane=LaneState(state="blocked")), "○ Blocked"),
        (package(profile(1, paused=True)), state(1, lane=LaneState(state="blocked")), "○ Paused"),
        (package(profile(1, paused=True)), None, "○ Paused"),
        (package(profile(1), paused=True), state(1, day=1), "○ Package paused"),
    ],
)
def test_the_status_in_one_word(configured: Package, fares: ProfileState | None, word: str) -> None:
    shown = board(packages(configured), states(*([fares] if fares else [])), NOON)
    assert shown.sections[0].rows[0].status.text == word


@pytest.mark.parametrize(
    ("bar", "text", "share", "is_full"),
    [
        (Bar("hourly", 0, 20), "0/20 hourly", 0.0, False),
        (Bar("hourly", 5, 20), "5/20 hourly", 0.25, False),
        (Bar("hourly", 20, 20), "20/20 hourly", 1.0, True),
        (Bar("hourly", 30, 20), "30/20 hourly", 1.0, True),
        (Bar("hourly", None, 20), "–/20 hourly", 0.0, False),
    ],
)
def test_a_bar(bar: Bar, text: str, share: float, is_full: bool) -> None:
    assert (bar.text, bar.share, bar.is_full) == (text, share, is_full)


LATER = NOON + timedelta(seconds=12)


@pytest.mark.parametrize(
    ("asked", "fares", "notices", "old", "empty"),
    [
        (packages(), states(), (), False, True),
        (Reading(()), Reading({}), (
            "The ingress gives no answer (nothing heard): no packages and settings yet.",
            "The stats give no answer (nothing heard): no figures yet.",
        ), True, False),
        (packages(package()), states().missed("it cannot be reached"), (
            "The stats give no answer (it cannot be reached): the figures below are 0 s old.",
        ), True, False),
        (packages(package()).missed("it answered 503"), states(), (
            "The ingress gives no answer (it answered 503): the packages and settings below are 0 s old.",
        ), False, False),
    ],
)  # fmt: skip
def test_an_answer_that_is_missing_is_said_to_be_missing(
    asked: Packages, fares: States, notices: tuple[str, ...], old: bool, empty: bool
) -> None:
    shown = board(asked, fares, NOON)
    assert (shown.notices, shown.figures_are_old, shown.is_empty) == (notices, old, empty)


def test_an_answer_that_nobody_renewed_is_old_even_when_no_question_failed() -> None:
    shown = board(packages(package(profile(1))), states(state(1, 7, 7)), LATER)
    assert shown.notices[1] == "The stats give no answer (nothing heard): the figures below are 12 s old."
    assert (shown.figures_are_old, shown.sections[0].rows[0].bars[0].text) == (True, "7/50 hourly")
