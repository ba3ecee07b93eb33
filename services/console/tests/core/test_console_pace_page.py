"""Pace page: search, order and pages of a queue with many phones."""

from datetime import UTC, datetime, timedelta

from console.core.pace_page import PAGE_ROWS, PaceView, pace_page
from console.core.queue import ApiPace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pace(number: int, held: int = 0, minutes: int | None = None) -> ApiPace:
    due = None if minutes is None else NOON + timedelta(minutes=minutes)
    return ApiPace(profile_id=f"p{number:03}", held=held, next_release=due)


def test_200_phones_are_shown_in_pages() -> None:
    paces = [pace(number) for number in range(200)]
    shown = pace_page(paces, {}, PaceView(page=1))
    assert (len(shown.paces), shown.pages, shown.total) == (PAGE_ROWS, 4, 200)
    assert shown.paces[0].profile_id == "p050"
    assert pace_page(paces, {}, PaceView(page=99)).page == 3


def test_phones_are_found_by_name_and_ordered() -> None:
    paces, names = [pace(1, 5), pace(2, 9, 4), pace(3, 0, 2)], {"p001": "Zoe", "p002": "Anna", "p003": "Bob"}

    def found(view: PaceView) -> list[str]:
        return [each.profile_id for each in pace_page(paces, names, view).paces]

    assert found(PaceView()) == ["p002", "p003", "p001"]
    assert found(PaceView(order="held")) == ["p002", "p001", "p003"]
    assert found(PaceView(order="next")) == ["p003", "p002", "p001"]
    assert found(PaceView(text="ZO")) == ["p001"]
