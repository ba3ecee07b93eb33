"""Profile page of the console: which requests a page of profiles makes."""

from urllib.parse import parse_qs, urlsplit

from console.core.profile_page import PROFILES_SHOWN, ProfilePage


def parameters(path: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(path).query)


def test_a_page_without_a_filter_asks_ingress_for_one_page_of_profiles() -> None:
    first = ProfilePage("shop")
    second = first.next("c1").next("c2")
    assert urlsplit(second.settings_path).path == "/packages/shop/profiles"
    assert parameters(second.settings_path) == {"limit": [str(PROFILES_SHOWN)], "cursor": ["c2"]}
    assert (second.number, second.previous().number, second.previous().previous()) == (3, 2, first)
    assert "cursor" not in parameters(first.settings_path)


def test_a_filter_begins_at_the_first_page_and_goes_to_the_stats() -> None:
    page = ProfilePage("shop").next("c1").filtered(" Sales & co ", "blocked")
    assert (page.is_filtered, page.number) == (True, 1)
    assert parameters(page.states_path) == {
        "package_id": ["shop"], "state": ["blocked"], "text": ["Sales & co"], "limit": [str(PROFILES_SHOWN)],
    }  # fmt: skip
