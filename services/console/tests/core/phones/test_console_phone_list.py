"""Phone list: search, filters, order and pages; the words about waiting messages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from console.core.api_models import ApiPackage, ApiProfile
from console.core.phones.phone_list import PAGE_ROWS, Phone, PhoneView, list_phones, show_page
from console.core.phones.queue_words import package_removal_words, removal_words
from console.core.queue import ApiQueue
from spreader.contract.events import Health, LaneState, ProfileState

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def profile(name: str, package_id: str = "shop", driver: str = "waha", **more: Any) -> ApiProfile:
    values = {"profile_id": name.lower(), "package_id": package_id, "name": name, "phone": "201001234567"}
    return ApiProfile.model_validate({**values, "gateway": {"driver": driver}, **more})


def state(name: str, **more: Any) -> ProfileState:
    return ProfileState(profile_id=name, package_id="shop", at=NOON, **more)


def phones(*profiles: ApiProfile, **states: ProfileState) -> tuple[Phone, ...]:
    packages = [ApiPackage(package_id=name, name=name.title()) for name in ("shop", "bank")]
    mine = {name: [each for each in profiles if each.package_id == name] for name in ("shop", "bank")}
    return list_phones(packages, mine, states)


def health(score: int) -> Health:
    return Health(score=score, band="good" if score > 50 else "warning", reasons=())


MIXED = phones(
    profile("Anna", phone="4915112345678"), profile("Bert", driver="evolution"), profile("Carl", paused=True),
    profile("Dora"), profile("Emil", "bank"),
    anna=state("anna", health=health(90)), bert=state("bert", session="unlinked", health=health(20)),
    carl=state("carl"), dora=state("dora", open=LaneState(state="blocked", cause="463")), emil=state("emil"),
)  # fmt: skip


def names(**view: Any) -> list[str]:
    return [phone.name for phone in show_page(MIXED, PhoneView(**view)).phones]


@pytest.mark.parametrize(
    ("view", "found"),
    [
        ({}, ["Anna", "Bert", "Carl", "Dora", "Emil"]),
        ({"text": "aNn"}, ["Anna"]),
        ({"text": "+49 151-123"}, ["Anna"]),
        ({"text": "nobody 49"}, []),
        ({"driver": "evolution"}, ["Bert"]),
        ({"package_id": "bank"}, ["Emil"]),
        ({"status": "problem"}, ["Bert", "Dora"]),
        ({"status": "paused"}, ["Carl"]),
        ({"status": "sends"}, ["Anna", "Emil"]),
        ({"sort": "status"}, ["Bert", "Dora", "Carl", "Anna", "Emil"]),
        ({"sort": "health"}, ["Bert", "Anna", "Carl", "Dora", "Emil"]),
        ({"sort": "gateway"}, ["Bert", "Anna", "Carl", "Dora", "Emil"]),
        ({"sort": "package"}, ["Emil", "Anna", "Bert", "Carl", "Dora"]),
    ],
)
def test_search_filters_and_order(view: dict[str, str], found: list[str]) -> None:
    assert names(**view) == found


def test_a_session_that_is_not_linked_is_a_status_of_its_own() -> None:
    words = {phone.name: phone.status.text for phone in MIXED}
    assert (words["Bert"], words["Carl"], words["Dora"]) == ("○ Not linked", "○ Paused", "○ Blocked")


def test_200_phones_are_shown_in_pages() -> None:
    many = phones(*(profile(f"P{number:03}") for number in range(200)))
    page = show_page(many, PhoneView(page=3))
    assert (len(page.phones), page.page, page.pages, len(page.found)) == (PAGE_ROWS, 3, 4, 200)
    assert page.phones[0].name == "P150"
    assert show_page(many, PhoneView(page=9)).page == 3
    assert PhoneView(page=3).changed(text="x") == PhoneView(text="x", page=0)


def queue(**held: int) -> ApiQueue:
    paces = [{"profile_id": name, "held": number} for name, number in held.items()]
    values = {"package_id": "shop", "at": NOON, "held": sum(held.values()), "rush_over": 10, "profiles_in_rush": 0}
    return ApiQueue.model_validate({**values, "at_gateway": {"now": 0, "max": 10}, "profiles": paces})


def test_a_removal_says_what_happens_to_waiting_messages() -> None:
    waiting = queue(a=12, b=0, c=1)
    assert removal_words("Shop", waiting, ["a"], 3) == (
        "12 waiting messages will go to the other 2 phones of “Shop”. The history stays."
    )
    assert removal_words("Shop", waiting, ["a", "c"], 3).startswith("13 waiting messages will go to the other phone of")
    assert removal_words("Shop", waiting, ["b"], 3).startswith("Nothing waits with it in “Shop”.")
    last = removal_words("Shop", waiting, ["a", "b", "c"], 3)
    assert "“Shop” then has no phone. 13 waiting messages will never be sent." in last
    assert removal_words("Shop", None, ["a"], 3).startswith("Its waiting messages will go to the other 2")
    assert "13 waiting messages will be cancelled" in package_removal_words(waiting, 3)
