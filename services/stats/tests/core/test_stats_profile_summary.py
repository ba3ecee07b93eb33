"""Profile summary and windows: which minutes a window contains, and when a state is changed."""

from datetime import UTC, datetime, timedelta

import pytest

from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.events import Counts, ProfileState, Windows
from stats.core.profile_summary import ProfileRecords, is_changed, package_of_profile, profile_states
from stats.core.windows import WindowStarts

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BUSY = Windows(hour=Counts(sent=1), three_hours=Counts(sent=1), day=Counts(sent=1))


def package(name: str, *profiles: str) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://gateway", account="account")
    members = tuple(Profile(profile_id=each, name=each, phone="201001234567", gateway=gateway) for each in profiles)
    return Package(package_id=name, version=1, name=name, profiles=members)


def test_a_window_ends_with_the_current_minute_and_leaves_out_its_oldest_partial_minute() -> None:
    assert WindowStarts.at(NOON + timedelta(seconds=59)) == WindowStarts(
        hour=NOON - timedelta(hours=1),
        two_hours=NOON - timedelta(hours=2),
        three_hours=NOON - timedelta(hours=3),
        day=NOON - timedelta(days=1),
        week=NOON - timedelta(days=7),
        until=NOON,
    )


def test_every_configured_profile_has_a_state_even_without_counts() -> None:
    members = package_of_profile([package("shop", "sales", "support"), package("bank", "cards"), package("empty")])
    assert profile_states(members, ProfileRecords(windows={"support": BUSY}), NOON) == [
        ProfileState(profile_id="sales", package_id="shop", at=NOON),
        ProfileState(profile_id="support", package_id="shop", windows=BUSY, at=NOON),
        ProfileState(profile_id="cards", package_id="bank", at=NOON),
    ]


IDLE = ProfileState(profile_id="sales", package_id="shop", at=NOON)


@pytest.mark.parametrize(
    ("published", "news"),
    [
        (None, True),
        (IDLE, False),
        (IDLE.model_copy(update={"at": NOON - timedelta(days=3)}), False),
        (IDLE.model_copy(update={"windows": BUSY}), True),
        (IDLE.model_copy(update={"package_id": "bank"}), True),
    ],
    ids=["never published", "the same", "the same, long ago", "other counts", "another package"],
)
def test_a_state_is_changed_when_anything_but_its_time_differs(published: ProfileState | None, news: bool) -> None:
    assert is_changed(IDLE, published) is news
